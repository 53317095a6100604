import type { Logger } from "pino";
import type { AttemptFacts, FailedAttempt } from "../domain/delivery.ts";
import type { Happening } from "./happening.ts";
import { createLogLimiter } from "./log-limiter.ts";
import { describeError } from "./loggable.ts";
import { createUnroutedTypes } from "./unrouted-types.ts";

/** How many lines of one kind and destination are logged in a minute; the rest is counted. */
const LIMIT = { max: 60, windowMs: 60_000 };

type Level = "debug" | "info" | "warn" | "error" | "fatal";

/** A line of the operational log. */
interface Line {
  readonly level: Level;
  readonly message: string;
  readonly fields: object;
}

/**
 * Subscribes the operational log: one line for each happening, but for unrouted events one for each type, and with a limit for
 * those that any number of attempts may cause.
 */
export function operationalLog(
  logger: Logger,
  limit = LIMIT,
): (happening: Happening) => void {
  const limiter = createLogLimiter({
    ...limit,
    onSuppressed(key, count) {
      const [type, destination] = key.split(" ");
      logger.warn({ type, destination, count }, "further lines not logged");
    },
  });
  const unrouted = createUnroutedTypes();
  return (happening) => {
    if (happening.type === "event.unrouted") {
      const { source, eventType } = happening;
      const warning = unrouted.note(source, eventType);
      if (warning !== null) {
        logger.warn(warning.fields, warning.message);
      }
      return;
    }
    const key = limitKey(happening);
    if (key !== null && !limiter.take(key)) {
      return;
    }
    if (
      happening.type === "service.stopped" ||
      happening.type === "service.crashed"
    ) {
      limiter.flush();
    }
    const { level, message, fields } = lineOf(happening);
    logger[level](fields, message);
  };
}

/** Lines of one key share a limit; null = without one. Names of destinations are configured, so that keys are few. */
function limitKey(happening: Happening): string | null {
  const { type } = happening;
  if (type === "delivery.exhausted" || type === "handler.failed") {
    return `${type} ${happening.destination}`;
  }
  if (type !== "handler.late_error") {
    return null;
  }
  const [only, ...others] = happening.attempts;
  return only !== undefined && others.length === 0
    ? `${type} ${only.destination}`
    : type;
}

const AGE_MESSAGES = {
  due: "signing secret due for rotation: overdue from 90 days",
  overdue: "signing secret overdue: rotate it",
  unknown:
    "signing secret has no creation date: set HEX_SECRET_CREATED_AT, or createdAt in the file",
} as const;

function lineOf(
  happening: Exclude<Happening, { type: "event.unrouted" }>,
): Line {
  const facts = factsOf(happening);
  switch (happening.type) {
    case "service.ready":
      return line("info", "ready", facts);
    case "service.endpoint": {
      const { source, endpoint, isPublic } = happening;
      const message = isPublic
        ? "endpoint: register this URL in the Hex dashboard"
        : "endpoint: set PUBLIC_URL to the address that senders reach";
      return line("info", message, { source, endpoint });
    }
    case "service.stopping":
      return line("info", "stopping", facts);
    case "service.stopped":
      return line("info", "stopped", facts);
    case "service.crashed":
      return line("fatal", happening.cause, describedError(happening.error));
    case "work.failed":
      return line("error", "background work failed", {
        error: describeError(happening.error).message,
      });
    case "config.warning":
      return line("warn", happening.warning, {});
    case "reload.requested":
      return line("info", "SIGHUP: reloading the configuration", facts);
    case "reload.applied": {
      const { action, resource, facts: reloaded } = happening;
      return line("info", "reloaded", { action, resource, ...reloaded });
    }
    case "reload.rejected":
      return line("error", "new configuration rejected", facts);
    case "reload.failed":
      return line("error", "reload failed", {
        error: describeError(happening.error).message,
      });
    case "secret.aged": {
      const { verdict, source, secret, keyId, days } = happening;
      const fields = { source, keyId, days, secret };
      return line("warn", AGE_MESSAGES[verdict], fields);
    }
    case "signing_key.readable":
      return line(
        "warn",
        "audit signing key readable by other users: chmod 600 it",
        facts,
      );
    case "signing_key.changed":
      return line(
        "warn",
        "audit signing key changed: verify the trail with both public keys",
        facts,
      );
    case "purge.held":
      return line(
        "warn",
        "purges held for 24 h of uptime: the clock is ahead of the newest stored time",
        facts,
      );
    case "audit.changed":
      return line(
        "error",
        "audit trail was changed, so its old entries are kept: run hexhook audit verify",
        facts,
      );
    case "sink.degraded":
      return line("warn", "audit sink degraded", happening.facts);
    case "sink.recovered":
      return line("info", "audit sink recovered", happening.facts);
    case "connections.limited":
      return line(
        "warn",
        "MAX_CONNECTIONS lowered to three quarters of the descriptor limit: raise it with ulimit -n",
        facts,
      );
    case "connections.rejected": {
      const { listener, rejected, max, maxPerNetwork } = happening;
      const fields = { listener, ...rejected, max, maxPerNetwork };
      return line("warn", "connections rejected", fields);
    }
    case "connection.failed":
      return line(
        "error",
        "connection failed",
        describedError(happening.error),
      );
    case "request.failed": {
      const { requestId, error } = happening;
      return line("error", "request failed", {
        requestId,
        ...describedError(error),
      });
    }
    case "destinations.none":
      return line(
        "warn",
        "no destinations configured: events are stored but not delivered",
        facts,
      );
    case "destination.forbidden":
      return line(
        "warn",
        "destination address is forbidden: its attempts will fail",
        facts,
      );
    case "destination.missing":
      return line(
        "warn",
        "deliveries pending for a destination that is no longer configured",
        facts,
      );
    case "destination.paused":
      return line("warn", "destination paused", facts);
    case "destination.resumed":
      return line("info", "destination resumed", facts);
    case "breaker.opened":
      return line("warn", "circuit breaker opened", {
        destination: happening.destination,
        ...(happening.last === null ? {} : failedAttempt(happening.last)),
      });
    case "breaker.closed":
      return line("info", "circuit breaker closed", facts);
    case "delivery.exhausted":
      return line("warn", "delivery exhausted", failedAttempt(happening));
    case "handler.failed": {
      const { kind, error } = happening;
      const fields = { ...attemptFacts(happening), kind, err: error };
      return line("error", "handler threw", fields);
    }
    case "handler.late_error": {
      const { kind, isCertain, attempts, error } = happening;
      const [only] = attempts;
      return isCertain
        ? line("error", "handler failed late", { ...only, kind, err: error })
        : line("error", "uncaught error, perhaps of a handler", {
            kind,
            err: error,
            attempts,
          });
    }
  }
}

/** The members of a happening but its type. */
function factsOf(happening: Happening): object {
  return Object.fromEntries(
    Object.entries(happening).filter(([name]) => name !== "type"),
  );
}

function line(level: Level, message: string, fields: object): Line {
  return { level, message, fields };
}

function describedError(thrown: unknown): object {
  return { err: describeError(thrown) };
}

function failedAttempt(failed: FailedAttempt): object {
  const { reason, status, detail, error } = failed.failure;
  return { ...attemptFacts(failed), reason, status, detail, err: error };
}

/** These alone, of whatever has them. */
function attemptFacts(facts: AttemptFacts): AttemptFacts {
  const { source, eventId, eventType, destination, attempt } = facts;
  return { source, eventId, eventType, destination, attempt };
}
