/** What a handler gets besides the event. */
export interface HandlerContext {
  /**
   * Aborts when the attempt fails or has used up its timeout (`ATTEMPT_TIMEOUT`, unless its destination has its own), or the
   * service stops.
   */
  readonly signal: AbortSignal;
  /** Counts from 1. */
  readonly attempt: number;
  readonly logger: HandlerLogger;
  readonly hex: HexApi;
}

/**
 * The Hex API with the keys that are configured. Each call is checked against HEX_SCOPES first and audited; without a key, or
 * a scope that covers it, it rejects and nothing is sent.
 */
export interface HexApi {
  readonly reader: {
    /** `GET /health`; needs `read:health`. */
    health(options?: {
      readonly signal?: AbortSignal;
    }): Promise<{ readonly status: number; readonly body: unknown }>;
  };
  readonly writer: {
    /** Sends an event, or many, to Hex analytics; needs `write:audit`. */
    track(
      event: string,
      properties:
        | Readonly<Record<string, unknown>>
        | readonly Readonly<Record<string, unknown>>[],
      options?: {
        readonly idempotencyKey?: string;
        readonly signal?: AbortSignal;
      },
    ): Promise<void>;
  };
}

/** Writes a line: `(fields, message)`, `(message)` or `(error, message)`, with values for `%s` and its like in the message. */
export interface LogFunction {
  (fields: object, message?: string, ...values: unknown[]): void;
  (message: string, ...values: unknown[]): void;
}

/**
 * The operational log (stderr), with the event in each line. A line has 16 KiB at most, longer values are cut; logging
 * never throws. A field with the name of one that Hexhook writes, such as `source`, is below `fields`.
 */
export interface HandlerLogger {
  readonly trace: LogFunction;
  readonly debug: LogFunction;
  readonly info: LogFunction;
  readonly warn: LogFunction;
  readonly error: LogFunction;
  readonly fatal: LogFunction;
  /** A logger whose lines all have these fields. */
  child(fields: object): HandlerLogger;
}

/** The event as a handler sees it. `rawBody` is the exact bytes received; `payload` is parsed from them. */
export interface HandlerEvent {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly receivedAt: Date;
  readonly headers: Readonly<Record<string, string>>;
  readonly rawBody: Buffer;
  readonly payload: Readonly<Record<string, unknown>>;
}

/**
 * Handles one event. Throwing, rejecting or outliving `ATTEMPT_TIMEOUT` fails the attempt; so does an error that no code
 * catches, in a timer or a promise of this call, while the attempt is in flight.
 */
export type Handler = (event: HandlerEvent, context: HandlerContext) => unknown;

/** Event type patterns (`resource.created`, `resource.*`, `*`) and their functions. */
export type Handlers = Readonly<Record<string, Handler>>;

/**
 * Gives a handlers module its types: `export default defineHandlers({ "invoice.paid": async (event, context) => … })`.
 * Returns what it is given.
 */
export function defineHandlers<T extends Handlers>(handlers: T): T {
  return handlers;
}
