/** What a handler gets besides the event. */
export interface HandlerContext {
  /**
   * Aborts when the attempt fails, when it exceeds its timeout (`ATTEMPT_TIMEOUT`, or that of its destination), and when the
   * service stops.
   */
  readonly signal: AbortSignal;
  /** Counts from 1. */
  readonly attempt: number;
  readonly logger: HandlerLogger;
  readonly hex: HexApi;
}

/**
 * Calls the Hex API with the configured keys. Each call is checked against HEX_SCOPES and audited. Without a key, or without a
 * scope that covers the call, it rejects and sends nothing.
 */
export interface HexApi {
  readonly reader: {
    /** Calls `GET /health`. Needs the scope `read:health`. */
    health(options?: {
      readonly signal?: AbortSignal;
    }): Promise<{ readonly status: number; readonly body: unknown }>;
  };
  readonly writer: {
    /** Sends one or more events to Hex analytics. Needs the scope `write:audit`. */
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

/** Writes a line: `(fields, message)`, `(message)` or `(error, message)`. The message may contain placeholders such as `%s`. */
export interface LogFunction {
  (fields: object, message?: string, ...values: unknown[]): void;
  (message: string, ...values: unknown[]): void;
}

/**
 * Writes to the operational log (stderr). Each line names the event. A line has at most 16 KiB, and longer values are cut.
 * Logging never throws. A field whose name Hexhook uses itself, such as `source`, is written below `fields`.
 */
export interface HandlerLogger {
  readonly trace: LogFunction;
  readonly debug: LogFunction;
  readonly info: LogFunction;
  readonly warn: LogFunction;
  readonly error: LogFunction;
  readonly fatal: LogFunction;
  /** Returns a logger that adds these fields to each line. */
  child(fields: object): HandlerLogger;
}

/**
 * The payload of an event if its type is not declared: a JSON object, an array for some sources, or the fields of a form. A
 * handler must check its values before use.
 */
export type UnknownPayload = Readonly<Record<string, unknown>>;

/**
 * An event. `rawBody` is the exact bytes received, and `payload` is parsed from them when it is read. Hexhook checks only that
 * the signature scheme of the source accepts the body: another declared `Payload` type is not checked. In the payload of a
 * form, a field that occurs more than once is an array. Reading `payload` throws if the body is neither JSON nor a form.
 */
export interface HandlerEvent<Payload = UnknownPayload> {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly receivedAt: Date;
  readonly headers: Readonly<Record<string, string>>;
  readonly rawBody: Buffer;
  readonly payload: Payload;
}

/**
 * Handles one event. The attempt fails when the function throws, rejects or exceeds the timeout. It also fails when a timer or
 * a promise that this call started throws an error that no code catches while the attempt is in flight.
 */
export type Handler<Payload = UnknownPayload> = (
  event: HandlerEvent<Payload>,
  context: HandlerContext,
) => unknown;

/** Maps event type patterns (`resource.created`, `resource.*`, `*`) to functions. `Payloads` maps each pattern to its payload. */
export type Handlers<Payloads = Readonly<Record<string, UnknownPayload>>> = {
  readonly [Pattern in keyof Payloads]: Handler<Payloads[Pattern]>;
};

/**
 * Returns its argument. It gives the functions of a handlers module their types:
 * `export default defineHandlers({ "invoice.paid": async (event, context) => … })`.
 * To declare payloads, map each pattern to its type: `defineHandlers<{ "invoice.paid": InvoicePaid }>({ … })`.
 */
export function defineHandlers<
  Payloads = Readonly<Record<string, UnknownPayload>>,
  T extends Handlers<Payloads> = Handlers<Payloads>,
>(handlers: T): T {
  return handlers;
}
