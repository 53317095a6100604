import { format } from "node:util";
import type { Logger } from "pino";
import type { AttemptFacts } from "../../domain/delivery.ts";
import type { HandlerLogger } from "../../domain/handler.ts";
import { boundedFields } from "../../telemetry/loggable.ts";

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

/** Members of a line that Hexhook sets. A handler's field cannot replace them. */
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

/** The part of a pino logger that writes the lines. */
export type LogWriter = Pick<
  Logger,
  (typeof LEVELS)[number] | "isLevelEnabled"
>;

/**
 * Creates the logger of one attempt. Each line has the facts of the attempt and the handler's fields. A field with a
 * reserved name goes into the member `fields`, so that a line has no duplicate names. Never throws.
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

/** Reads the arguments `(fields, message)`, `(message)` or `(error, message)`, and values for the message's placeholders. */
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
  // Convert to plain data before formatting, so that no code of the handler runs.
  return format(...Object.values(boundedFields(args)));
}

function lineOf(
  facts: AttemptFacts,
  logged: Readonly<Record<string, unknown>>,
): object {
  const added = Object.entries(logged).filter(
    ([name, value]) =>
      !(name in facts && facts[name as keyof AttemptFacts] === value),
  );
  const reserved = added.filter(([name]) => RESERVED.has(name));
  return {
    ...facts,
    ...Object.fromEntries(added.filter(([name]) => !RESERVED.has(name))),
    ...(reserved.length > 0 && { fields: Object.fromEntries(reserved) }),
  };
}
