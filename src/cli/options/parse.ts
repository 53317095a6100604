import { InvalidArgumentError } from "commander";
import { AUDIT_ACTIONS } from "../../audit/entry.ts";
import { isKnownAction } from "../../audit/search/entry-filter.ts";
import { parseSince, SINCE_FORMS } from "../../domain/since.ts";

/** Parsers for the options of commands. Commander shows the message that they throw after the option's name. */

export function parseCount(text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1) {
    throw new InvalidArgumentError(
      "It must be a whole number, from 1 to 999999999.",
    );
  }
  return value;
}

export function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new InvalidArgumentError("It must be a port number from 0 to 65535.");
  }
  return Number(text);
}

export function parseTimestampOption(text: string): number {
  if (!/^\d{1,11}$/.test(text)) {
    throw new InvalidArgumentError(
      "It must be a time in unix seconds, such as 1763917200.",
    );
  }
  return Number(text);
}

/** Returns unix milliseconds. */
export function parseSinceOption(text: string): number {
  const at = parseSince(text, Date.now());
  if (at === null) {
    throw new InvalidArgumentError(`It must be ${SINCE_FORMS}.`);
  }
  return at;
}

export function parseActionOption(text: string): string {
  if (!isKnownAction(text)) {
    throw new InvalidArgumentError(
      `It must be an action: ${AUDIT_ACTIONS.join(", ")}.`,
    );
  }
  return text;
}

/** Collects the values of an option that may be repeated. */
export function collect(
  value: string,
  earlier: readonly string[] = [],
): string[] {
  return [...earlier, value];
}
