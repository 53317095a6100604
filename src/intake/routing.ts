import type { Route } from "../domain/destination.ts";
import type { NewDelivery } from "../domain/delivery.ts";
import { createOrderKey } from "./order-key.ts";

const PATTERN = /^(?:\*|[^*]+\.\*|[^*]+)$/;

/** Returns whether `pattern` is an exact event type, `prefix.*` or `*`. */
export function isEventPattern(pattern: string): boolean {
  return PATTERN.test(pattern);
}

/** Compiles a pattern to a function that returns whether an event type matches it. */
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

/** The parts of an event that routing uses. */
export interface Routable {
  readonly source: string;
  readonly type: string;
  readonly body: Buffer;
}

/** Creates a function that returns the deliveries of an event: the destinations that match, each with its order key. */
export function createRouter(
  routes: readonly Route[],
): (event: Routable) => readonly NewDelivery[] {
  const compiled = routes.map(({ name, sources, events, orderBy }) => ({
    name,
    sources,
    matchers: events.map(compileEventPattern),
    orderKey: orderBy === null ? () => null : createOrderKey(orderBy),
  }));
  return ({ source, type, body }) =>
    compiled
      .filter(
        ({ sources, matchers }) =>
          sources.includes(source) && matchers.some((matches) => matches(type)),
      )
      .map(({ name, orderKey }) => ({
        destination: name,
        orderKey: orderKey(body),
      }));
}
