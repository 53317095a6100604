import type { Logger } from "pino";
import type { AttemptFacts, FailedAttempt } from "../domain/delivery.ts";
import { howToDate } from "../domain/key-age.ts";
import { type Happening, isMeasurement } from "./happening.ts";
import { createLogLimiter } from "./log-limiter.ts";
import { describeError } from "./loggable.ts";
import type { Measurement } from "./measurement.ts";
import { createUnroutedTypes } from "./unrouted-types.ts";

/** Maximum number of lines a minute for each type and destination; further lines are counted. */
const LIMIT = { max: 60, windowMs: 60_000 };

type Level = "debug" | "info" | "warn" | "error" | "fatal";

/** A line of the operational log. */
interface Line {
  readonly level: Level;
  readonly message: string;
  readonly fields: object;
}

/**
 * Returns a subscriber that writes one line for each happening. Unrouted events get one line for each event type. Happenings
 * that attempts cause are limited for each destination, because their number is unbounded. So is failed work, which repeats
 * several times a second while a database server is away.
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
    if (isMeasurement(happening)) {
      return;
    }
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

/**
 * Returns the key whose lines share one limit; null = no limit. The names of destinations come from the configuration, so
 * the number of keys is bounded.
 */
function limitKey(happening: Happening): string | null {
  const { type } = happening;
  if (type === "delivery.exhausted" || type === "handler.failed") {
    return `${type} ${happening.destination}`;
  }
  if (type === "work.failed" || type === "notifications.dropped") {
    return type;
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
  due: "signing secret due for rotation",
  overdue: "signing secret overdue for rotation",
  unknown: "signing secret has no creation date",
} as const;

function lineOf(
  happening: Exclude<Happening, Measurement | { type: "event.unrouted" }>,
): Line {
  const facts = factsOf(happening);
  switch (happening.type) {
    case "service.ready":
      return line("info", "service ready", facts);
    case "service.endpoint": {
      const { source, endpoint, isPublic } = happening;
      return line("info", "endpoint ready to receive", {
        source,
        endpoint,
        hint: isPublic
          ? "register this URL with the sender"
          : "set PUBLIC_URL to the address that senders reach",
      });
    }
    case "service.stopping":
      return line("info", "service stopping", facts);
    case "service.stopped":
      return line("info", "service stopped", facts);
    case "service.crashed":
      return line("fatal", happening.cause, describedError(happening.error));
    case "work.failed":
      return line("error", "background work failed", {
        error: describeError(happening.error).message,
      });
    case "config.warning":
      return line("warn", "configuration warning", facts);
    case "reload.requested":
      return line("info", "configuration reload requested", {
        signal: "SIGHUP",
      });
    case "reload.applied": {
      const { action, resource, facts: reloaded } = happening;
      const fields = { action, resource, ...reloaded };
      return line("info", "configuration change applied", fields);
    }
    case "reload.rejected":
      return line("error", "new configuration rejected", facts);
    case "reload.failed":
      return line("error", "configuration reload failed", {
        error: describeError(happening.error).message,
      });
    case "secret.aged": {
      const { verdict, source, secret, keyId, days } = happening;
      return line("warn", AGE_MESSAGES[verdict], {
        source,
        keyId,
        days,
        secret,
        ...(verdict === "unknown" && { hint: howToDate(secret) }),
      });
    }
    case "store.unreachable":
      return line("warn", "store not reachable: trying for 10 s", {
        error: describeError(happening.error).message,
      });
    case "signing_key.readable":
      return line("warn", "audit signing key readable by other users", {
        ...facts,
        hint: "run chmod 600 on the file",
      });
    case "signing_key.changed":
      return line("warn", "audit signing key changed", {
        ...facts,
        hint: "verify the trail with both public keys",
      });
    case "purge.held":
      return line("warn", "purges held for 24 h: clock is ahead", facts);
    case "audit.changed":
      return line("error", "audit trail was changed: old entries kept", {
        ...facts,
        hint: "run hexhook audit verify",
      });
    case "audit_file.ahead":
      return line("warn", "audit file has entries that the store lacks", {
        ...facts,
        hint: "expected after a restore; otherwise check DATABASE_URL",
      });
    case "sink.degraded":
      return line("warn", "audit sink degraded", happening.facts);
    case "sink.recovered":
      return line("info", "audit sink recovered", happening.facts);
    case "notification.failed": {
      const { notification, subject, attempt, isLast, failure } = happening;
      return line(
        isLast ? "error" : "warn",
        isLast ? "notification given up" : "notification failed",
        { notification, subject, attempt, ...failure },
      );
    }
    case "notifications.dropped":
      return line("error", "notifications dropped", facts);
    case "connections.limited":
      return line("warn", "connection limit lowered to fit descriptor limit", {
        ...facts,
        hint: "raise the descriptor limit with ulimit -n",
      });
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
        "no destinations configured: events stored but not delivered",
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
        "deliveries pending for a removed destination",
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
        ? line("error", "uncaught error from a handler", {
            ...only,
            kind,
            err: error,
          })
        : line("error", "uncaught error, possibly from a handler", {
            kind,
            err: error,
            attempts,
          });
    }
  }
}

/** Returns all members of a happening except its type. */
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

/** Returns the facts of the attempt without the other members of `facts`. */
function attemptFacts(facts: AttemptFacts): AttemptFacts {
  const { source, eventId, eventType, destination, attempt } = facts;
  return { source, eventId, eventType, destination, attempt };
}
