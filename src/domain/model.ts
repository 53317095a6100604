/** The words of the field as types. All times are unix milliseconds unless a name says otherwise. */

/** A secret that signatures of a source are verified with. `keyId` may be shown; `key` never. */
export interface SigningSecret {
  /** Where it is configured, such as `HEX_SECRET`. */
  readonly name: string;
  readonly keyId: string;
  readonly key: Buffer;
  /** The day it was made, as far as that is known. */
  readonly createdAt: number | null;
  /** From this instant on the secret is refused (rotation overlap); null = no end. */
  readonly expiresAt: number | null;
}

/** A configured sender. `scheme` names its one signature scheme. */
export interface Source {
  readonly name: string;
  readonly scheme: string;
  readonly secrets: readonly SigningSecret[];
  /** The answer to a request that was seen before inside its replay window. */
  readonly onReplay: "reject" | "acknowledge";
}

/** The duty to bring a new event to one destination. */
export interface NewDelivery {
  readonly destination: string;
  /** Deliveries of one destination with the same key go one after another; null = in parallel. */
  readonly orderKey: string | null;
}

/** One verified message, ready to be stored. `body` is the exact bytes that were signed. */
export interface NewEvent {
  readonly source: string;
  readonly id: string;
  readonly type: string;
  readonly receivedAt: number;
  readonly contentType: string;
  /** JSON object of lower-case header names and values, without credentials and signatures. */
  readonly headers: string;
  readonly body: Buffer;
  /** 32 bytes. */
  readonly bodySha256: Buffer;
}

/** One verified message as it was stored. */
export interface StoredEvent extends Omit<NewEvent, "bodySha256"> {
  readonly seq: number;
}

/**
 * What the replay guard remembers of a verified request: its MAC, under the second it was signed at,
 * or under null for a scheme that signs no time (then for as long as the event is kept). The MAC covers
 * the event id: two requests with one MAC are for one event.
 */
export interface ReplayClaim {
  readonly signedAt: number | null;
  readonly mac: Buffer;
}

/** What became of a verified message, decided by the store's unique keys. */
export type RecordOutcome =
  | "accepted"
  | "duplicate"
  | "replayed"
  | "conflict"
  /** A replay of a conflict: nothing of this body was ever stored. */
  | "replayed_conflict";

/** A delivery that the worker holds under a lease. */
export interface ClaimedDelivery {
  readonly id: number;
  readonly destination: string;
  /** Counts every attempt from 1, never twice the same: it fences late results. */
  readonly attempt: number;
  /**
   * The attempt as `RETRY_SCHEDULE` counts it, from 1: without those that a stop or a death of the process cut off, and
   * without those before a redelivery.
   */
  readonly scheduledAttempt: number;
  /** How often the process died during an attempt of it. */
  readonly crashes: number;
  /** When this attempt was claimed. */
  readonly startedAt: number;
  readonly event: StoredEvent;
}

/** How one attempt ended. A destination returns this and never throws. */
export type AttemptResult =
  | { readonly ok: true; readonly status?: number }
  | {
      readonly ok: false;
      /** A short word for the audit trail: `status`, `timeout`, `network`, `handler_threw`, … */
      readonly reason: string;
      readonly status?: number;
      readonly detail?: string;
      /** How long the destination asked to be left alone, in milliseconds. */
      readonly retryAfterMs?: number;
      /** The destination wants nothing more of this delivery (410). */
      readonly gone?: boolean;
    };

/** The state of a delivery after an attempt. */
export type DeliveryState =
  | { readonly state: "succeeded" }
  | { readonly state: "pending"; readonly dueAt: number }
  | { readonly state: "exhausted" };

/** Which events a destination gets, and in what order. */
export interface Route {
  /** The destination's name. */
  readonly name: string;
  /** Names of the sources whose events it gets. */
  readonly sources: readonly string[];
  /** Event type patterns: exact, `prefix.*` or `*`. */
  readonly events: readonly string[];
  /** JSON pointer (RFC 6901) to the key whose events go one after another; null = all in parallel. */
  readonly orderBy: string | null;
}

/** How one attempt went, as it is kept. */
export interface AttemptRecord {
  readonly attempt: number;
  readonly startedAt: number | null;
  /** Null when the process died during it. */
  readonly endedAt: number | null;
  readonly ok: boolean;
  readonly status: number | null;
  readonly reason: string | null;
  readonly detail: string | null;
}

/** A delivery as it stands. */
export interface DeliveryStatus {
  readonly id: number;
  readonly destination: string;
  readonly state: DeliveryState["state"];
  /** Attempts started so far. */
  readonly attempt: number;
  /** Whether an attempt is under way. */
  readonly underWay: boolean;
  /** When the next attempt is due; null when there is none, or one under way, or another of its key goes first. */
  readonly nextAttemptAt: number | null;
}

/** A stored event with its deliveries, without its body. */
export interface EventStatus {
  /** The order of acceptance. */
  readonly seq: number;
  readonly source: string;
  readonly id: string;
  readonly type: string;
  readonly receivedAt: number;
  readonly bodyBytes: number;
  readonly deliveries: readonly DeliveryStatus[];
}

/** The same with all that is kept of it but the body. */
export interface EventDetail extends EventStatus {
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  /** 64 hex digits. */
  readonly bodySha256: string;
  readonly deliveries: readonly (DeliveryStatus & {
    readonly attempts: readonly AttemptRecord[];
  })[];
}

/** A place that events are brought to; one worker serves each. */
export interface Destination extends Route {
  readonly kind: "http" | "handler";
  /** Where it is, as far as that may be shown: the origin of an URL, which says nothing secret. */
  readonly place: string;
  /** Attempts that may be under way at once. */
  readonly concurrency: number;
  /** Makes one attempt; ends when `signal` aborts. */
  attempt(
    delivery: ClaimedDelivery,
    signal: AbortSignal,
  ): Promise<AttemptResult>;
  /** Lets go of what it keeps open between attempts. */
  close?(): void;
}

/** What a handler is given besides the event. */
export interface HandlerContext {
  /** Aborts when the attempt has used up `ATTEMPT_TIMEOUT` or the service stops. */
  readonly signal: AbortSignal;
  /** Counts from 1. */
  readonly attempt: number;
  readonly logger: HandlerLogger;
  readonly hex: HexApi;
}

/**
 * The Hex API with the keys that are configured. Each call is held to HEX_SCOPES first and audited; without a key, or a
 * scope that covers it, it rejects and nothing is sent.
 */
export interface HexApi {
  readonly reader: {
    /** `GET /health`; needs `read:health`. */
    health(options?: {
      readonly signal?: AbortSignal;
    }): Promise<{ readonly status: number; readonly body: unknown }>;
  };
  readonly writer: {
    /** Tells Hex analytics of an event, or of many; needs `write:audit`. */
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

/** The operational log (stderr), bound to the event at hand. */
export interface HandlerLogger {
  debug(fields: object, message?: string): void;
  info(fields: object, message?: string): void;
  warn(fields: object, message?: string): void;
  error(fields: object, message?: string): void;
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

/** Brings one event home. Throwing, rejecting or outliving `ATTEMPT_TIMEOUT` fails the attempt. */
export type Handler = (event: HandlerEvent, context: HandlerContext) => unknown;

/** Event type patterns (`resource.created`, `resource.*`, `*`) and their functions. */
export type Handlers = Readonly<Record<string, Handler>>;
