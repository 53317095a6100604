import type {
  PublishedDestination,
  PublishedService,
  PublishedState,
} from "./records.ts";

/* The form of the state that processes publish, for all drivers. It may come from another version, or from anything else that can write to the store. */

type Check = (value: unknown) => boolean;

/** The largest time that a date can have, in milliseconds. */
const MAX_TIME = 8.64e15;

const text: Check = (value) => typeof value === "string";
const flag: Check = (value) => typeof value === "boolean";
const number: Check = (value) => Number.isFinite(value);
const time: Check = (value) =>
  typeof value === "number" && Math.abs(value) <= MAX_TIME;
const oneOf =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value);
const nullable =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);

/** Each member has its check, so a new member of the type needs one. */
const object =
  <T>(members: Readonly<Record<keyof T, Check>>): Check =>
  (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.entries<Check>(members).every(([name, check]) =>
      check((value as Record<string, unknown>)[name]),
    );

const DESTINATIONS = listOf(
  object<Required<PublishedDestination>>({
    name: text,
    kind: oneOf("http", "handler"),
    sources: listOf(text),
    events: listOf(text),
    orderBy: nullable(text),
    breaker: oneOf("closed", "open", "half-open"),
    probeAt: nullable(time),
    isRateLimited: flag,
    place: optional(text),
    concurrency: optional(number),
    inFlight: optional(number),
    failures: optional(number),
    rateLimitedUntil: optional(nullable(time)),
  }),
);

const SERVICE = object<PublishedService>({
  version: text,
  startedAt: time,
  readiness: oneOf("ready", "draining", "unavailable", "stopped"),
  lastMinute: object<PublishedService["lastMinute"]>({
    accepted: number,
    repeated: number,
    rejected: number,
  }),
  sources: listOf(
    object<PublishedService["sources"][number]>({
      name: text,
      scheme: text,
      isDisabled: flag,
      secrets: listOf(
        object<PublishedService["sources"][number]["secrets"][number]>({
          name: text,
          keyId: text,
          isPublic: flag,
          createdAt: nullable(time),
          expiresAt: nullable(time),
        }),
      ),
    }),
  ),
  sinks: listOf(
    object<PublishedService["sinks"][number]>({
      name: text,
      lag: number,
      degradedSince: nullable(time),
    }),
  ),
});

/** Reads the stored state of a process. A part of another form is unknown: no destinations, or no service. */
export function parsePublished(row: {
  readonly destinations: string;
  readonly service: string | null;
}): {
  destinations: PublishedState["destinations"];
  service: PublishedService | null;
} {
  const destinations = parse(row.destinations);
  const service = row.service === null ? null : parse(row.service);
  return {
    destinations: DESTINATIONS(destinations)
      ? (destinations as PublishedDestination[])
      : [],
    service: SERVICE(service) ? (service as PublishedService) : null,
  };
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
