import { format } from "node:util";
import type { Logger } from "pino";
import type { AttemptFacts } from "../../domain/delivery.ts";
import type { HandlerLogger } from "../../domain/handler.ts";
import { boundedFields } from "../../telemetry/loggable.ts";

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

/** Members of a line that are Hexhook's: no field of a handler takes their place. */
const RESERVED = new Set([
  "level",
  "time",
  "msg",
  "source",
  "eventId",
  "eventType",
  "destination",
  "attempt",
  "fields",
]);

/** What writes the lines: a pino logger. */
export type LogWriter = Pick<
  Logger,
  (typeof LEVELS)[number] | "isLevelEnabled"
>;

/**
 * The logger of one attempt. Its lines have the attempt's facts, and the handler's fields beside them; a field with the name
 * of a member of ours is below `fields`, so that no name is there twice. Never throws, whatever is logged.
 */
export function createHandlerLogger(
  log: LogWriter,
  facts: AttemptFacts,
  bindings: Readonly<Record<string, unknown>> = {},
): HandlerLogger {
  const methods = LEVELS.map((level) => [
    level,
    (...args: unknown[]) => {
      if (log.isLevelEnabled(level)) {
        const { fields, message } = readCall(args);
        log[level](lineOf(facts, { ...bindings, ...fields }), message);
      }
    },
  ]);
  return {
    ...(Object.fromEntries(methods) as Omit<HandlerLogger, "child">),
    child: (fields) =>
      createHandlerLogger(log, facts, {
        ...bindings,
        ...boundedFields(fields),
      }),
  };
}

/** Reads `(fields, message)`, `(message)` or `(error, message)`, each with values for the placeholders of the message. */
function readCall(args: readonly unknown[]): {
  fields: Record<string, unknown>;
  message: string | undefined;
} {
  const [first, ...rest] = args;
  if (typeof first !== "object" || first === null) {
    return { fields: {}, message: formatted(args) };
  }
  return { fields: boundedFields(first), message: formatted(rest) };
}

function formatted(args: readonly unknown[]): string | undefined {
  if (args.every((one) => one === undefined)) {
    return undefined;
  }
  // Bounded first: what is formatted then is plain data, which runs no code of the handler.
  return format(...Object.values(boundedFields(args)));
}

function lineOf(
  facts: AttemptFacts,
  given: Readonly<Record<string, unknown>>,
): object {
  const own = Object.entries(given).filter(
    ([name, value]) =>
      !(name in facts && facts[name as keyof AttemptFacts] === value),
  );
  const reserved = own.filter(([name]) => RESERVED.has(name));
  return {
    ...facts,
    ...Object.fromEntries(own.filter(([name]) => !RESERVED.has(name))),
    ...(reserved.length > 0 && { fields: Object.fromEntries(reserved) }),
  };
}
