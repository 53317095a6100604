import type { AttemptFacts, FailedAttempt } from "../domain/delivery.ts";
import type { ErrorDescription } from "../domain/error-description.ts";

/** What a connection limit closed, by the reason. */
export interface RejectedConnections {
  /** Over the limit of the listener. */
  readonly overLimit: number;
  /** Over the share of one network. */
  readonly overAddressShare: number;
  /** No memory for the input. */
  readonly outOfMemory: number;
}

type Facts = Readonly<Record<string, unknown>>;

/**
 * Everything that the service reports about itself, as a closed list. The parts of the service emit happenings and know
 * no log; the log, and later metrics and traces, subscribe to them. Nothing in one is secret.
 */
export type Happening =
  | {
      readonly type: "service.ready";
      /** Of the process, for signals. */
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
      /** Whether PUBLIC_URL says where senders reach it. */
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
      /** Where the secret is configured. */
      readonly secret: string;
      readonly keyId: string;
      readonly days: number | null;
    }
  | { readonly type: "signing_key.readable"; readonly file: string }
  | { readonly type: "signing_key.changed"; readonly publicKey: string }
  | {
      readonly type: "purge.held";
      /** What the clock shows. */
      readonly clock: string;
      /** How far it is ahead of the newest stored time, or of the time that has passed. */
      readonly aheadMs: number;
    }
  | {
      /** Old entries are not deleted, since they are not what was written. */
      readonly type: "audit.changed";
      readonly writer: string;
      readonly seq: number;
    }
  | { readonly type: "sink.degraded"; readonly facts: Facts }
  | { readonly type: "sink.recovered"; readonly facts: Facts }
  | {
      readonly type: "connections.limited";
      readonly maxConnections: number | null;
      readonly descriptors: number;
    }
  | {
      readonly type: "connections.rejected";
      /** The variable of its port. */
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
      /** An event was stored that no destination matches. */
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
      /** When it ends by itself, in ISO 8601; null = an operator resumes it. */
      readonly until: string | null;
    }
  | { readonly type: "destination.resumed"; readonly destination: string }
  | {
      readonly type: "breaker.opened";
      readonly destination: string;
      /** The last failure before. */
      readonly last: FailedAttempt | null;
    }
  | { readonly type: "breaker.closed"; readonly destination: string }
  | (FailedAttempt & {
      /** A delivery that is not attempted any more, unless it is redelivered. */
      readonly type: "delivery.exhausted";
    })
  | (AttemptFacts & {
      readonly type: "handler.failed";
      /** How the error came when the handler did not throw or reject with it. */
      readonly kind?: "uncaught exception" | "unhandled rejection";
      readonly error: ErrorDescription;
    })
  | {
      /** An error that no code catches, and that failed no attempt. */
      readonly type: "handler.late_error";
      readonly kind: "uncaught exception" | "unhandled rejection";
      /** Whether it is known that code of a handler caused it. */
      readonly isCertain: boolean;
      /** Those that may have caused it; none when it was the import of the handlers module. */
      readonly attempts: readonly AttemptFacts[];
      readonly error: ErrorDescription;
    };

/** Reports a happening. Never throws, and costs its caller no wait. */
export type Emit = (happening: Happening) => void;
