import type {
  AttemptFacts,
  AttemptFailure,
  FailedAttempt,
} from "../domain/delivery.ts";
import type { ErrorDescription } from "../domain/error-description.ts";
import { type Measurement, MEASUREMENT_TYPES } from "./measurement.ts";

/** The number of connections that a limit closed, by reason. */
export interface RejectedConnections {
  /** The listener had its maximum number of connections. */
  readonly overLimit: number;
  /** The client's network had its maximum share of the connections. */
  readonly overAddressShare: number;
  /** There was no memory left for the input. */
  readonly outOfMemory: number;
}

type Facts = Readonly<Record<string, unknown>>;

/**
 * Everything that the service reports about itself, as a closed list. The parts of the service emit happenings and have no
 * access to a log. The operational log and the metrics subscribe to them. A happening never contains a secret.
 */
export type Happening =
  | Measurement
  | {
      readonly type: "service.ready";
      /** The process id, which an operator needs to send a signal. */
      readonly pid: number;
      readonly host: string;
      readonly port: number;
      readonly adminHost: string;
      readonly adminPort: number | null;
      /** Whether the management API is on. */
      readonly api: boolean;
    }
  | {
      readonly type: "service.endpoint";
      readonly source: string;
      readonly endpoint: string;
      /** Whether `endpoint` is the configured address that senders reach. */
      readonly isPublic: boolean;
    }
  | { readonly type: "service.stopping"; readonly signal: string }
  | { readonly type: "service.stopped" }
  | {
      readonly type: "service.crashed";
      readonly cause:
        | "uncaught exception"
        | "unhandled rejection"
        | "store failed"
        | "stop failed";
      readonly error: unknown;
    }
  | { readonly type: "work.failed"; readonly error: unknown }
  | { readonly type: "config.warning"; readonly warning: string }
  | { readonly type: "reload.requested" }
  | {
      readonly type: "reload.applied";
      readonly action: string;
      readonly resource: string;
      readonly facts: Facts;
    }
  | {
      readonly type: "reload.rejected";
      readonly trigger: string;
      /** One line of the configuration's errors. */
      readonly error: string;
    }
  | { readonly type: "reload.failed"; readonly error: unknown }
  | {
      readonly type: "secret.aged";
      readonly verdict: "due" | "overdue" | "unknown";
      readonly source: string;
      /** The variable or file in which the secret is configured. */
      readonly secret: string;
      readonly keyId: string;
      readonly days: number | null;
    }
  /** The database cannot be reached at startup. The service tries again. */
  | { readonly type: "store.unreachable"; readonly error: unknown }
  | { readonly type: "signing_key.readable"; readonly file: string }
  | { readonly type: "signing_key.changed"; readonly publicKey: string }
  | {
      readonly type: "purge.held";
      /** The time that the wall clock shows, in ISO 8601. */
      readonly clock: string;
      /** How far the clock is ahead of the newest stored time, or of the time that has passed since the last check. */
      readonly aheadMs: number;
    }
  | {
      /** Old entries of a writer are kept, because they differ from what the writer wrote. */
      readonly type: "audit.changed";
      readonly writer: string;
      readonly seq: number;
    }
  | {
      /** The last entry of AUDIT_FILE is not in the store, as after a restore of a backup. */
      readonly type: "audit_file.ahead";
      readonly writer: string;
      readonly seq: number;
    }
  | { readonly type: "sink.degraded"; readonly facts: Facts }
  | { readonly type: "sink.recovered"; readonly facts: Facts }
  | {
      /** A notification could not be sent. */
      readonly type: "notification.failed";
      /** The type of the notification. */
      readonly notification: string;
      /** The destination, sink or secret that it is about. */
      readonly subject: string;
      readonly attempt: number;
      /** Whether it is given up. */
      readonly isLast: boolean;
      readonly failure: AttemptFailure;
    }
  | {
      readonly type: "notifications.dropped";
      /** The types of the notifications. */
      readonly notifications: readonly string[];
      readonly reason: "queue full" | "service stopped";
    }
  | {
      readonly type: "connections.limited";
      readonly maxConnections: number | null;
      readonly descriptors: number;
    }
  | {
      readonly type: "connections.rejected";
      /** The variable that sets the listener's port. */
      readonly listener: string;
      readonly rejected: RejectedConnections;
      readonly max: number;
      readonly maxPerNetwork: number;
    }
  | { readonly type: "connection.failed"; readonly error: unknown }
  | {
      readonly type: "request.failed";
      readonly requestId: string;
      readonly error: unknown;
    }
  | {
      /** An event was stored, but no destination matches it. */
      readonly type: "event.unrouted";
      readonly source: string;
      readonly eventType: string;
    }
  | { readonly type: "destinations.none" }
  | {
      readonly type: "destination.forbidden";
      readonly destination: string;
      readonly address: string;
    }
  | {
      readonly type: "destination.missing";
      readonly destination: string;
      readonly pending: number;
    }
  | {
      readonly type: "destination.paused";
      readonly destination: string;
      /** The operator's name, or `system` for a pause by `Retry-After`. */
      readonly by: string;
      /** When the pause ends, in ISO 8601; null = when an operator resumes the destination. */
      readonly until: string | null;
    }
  | { readonly type: "destination.resumed"; readonly destination: string }
  | {
      readonly type: "breaker.opened";
      readonly destination: string;
      /** The failed attempt that opened it; null if there is none. */
      readonly last: FailedAttempt | null;
    }
  | { readonly type: "breaker.closed"; readonly destination: string }
  | (FailedAttempt & {
      /** The delivery gets no further attempt unless an operator redelivers it. */
      readonly type: "delivery.exhausted";
    })
  | (AttemptFacts & {
      readonly type: "handler.failed";
      /** How the process caught the error; absent if the handler threw it or rejected with it. */
      readonly kind?: "uncaught exception" | "unhandled rejection";
      readonly error: ErrorDescription;
    })
  | {
      /** An error was not caught by any code, and no attempt failed because of it. */
      readonly type: "handler.late_error";
      readonly kind: "uncaught exception" | "unhandled rejection";
      /** Whether a handler certainly caused the error. */
      readonly isCertain: boolean;
      /** The attempts that may have caused it; empty when the import of the handlers module caused it. */
      readonly attempts: readonly AttemptFacts[];
      readonly error: ErrorDescription;
    };

/** Reports a happening. Never throws and never blocks its caller. */
export type Emit = (happening: Happening) => void;

/** Whether a happening is only counted and timed. */
export function isMeasurement(happening: Happening): happening is Measurement {
  return MEASUREMENT_TYPES.has(happening.type);
}
