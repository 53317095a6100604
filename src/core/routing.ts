import { type Destination } from "./model.ts";

const PATTERN = /^(?:\*|[^*]+\.\*|[^*]+)$/;

/** Whether `pattern` is an exact event type, `prefix.*` or `*`. */
export function isEventPattern(pattern: string): boolean {
  return PATTERN.test(pattern);
}

/** Returns whether an event type matches: exactly, under `prefix.`, or always for `*`. */
function compileEventPattern(pattern: string): (type: string) => boolean {
  if (pattern === "*") {
    return () => true;
  }
  if (pattern.endsWith(".*")) {
    const prefix = pattern.slice(0, -1);
    return (type) => type.startsWith(prefix);
  }
  return (type) => type === pattern;
}

/** Decides which destinations an event of a type is to be brought to. */
export function createRouter(
  destinations: readonly Pick<Destination, "name" | "events">[],
): (type: string) => readonly string[] {
  const routes = destinations.map(({ name, events }) => ({
    name,
    matchers: events.map(compileEventPattern),
  }));
  return (type) =>
    routes
      .filter(({ matchers }) => matchers.some((matches) => matches(type)))
      .map(({ name }) => name);
}
