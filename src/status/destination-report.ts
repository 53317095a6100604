import type { BreakerStatus } from "../delivery/destination-status.ts";
import type { Destination, Route } from "../domain/destination.ts";
import type {
  DeliveryCounts,
  DestinationGauge,
  PausedDestination,
  PublishedDestination,
} from "../store/records.ts";

/** A destination as an operator sees it. Times are unix milliseconds. */
export interface DestinationReport extends Omit<Route, "orderBy"> {
  /** False for a destination that still has deliveries or a pause but is no longer configured. */
  readonly isConfigured: boolean;
  /** Null if no process has published it. */
  readonly kind: Destination["kind"] | null;
  readonly place: string | null;
  readonly orderBy: string | null;
  readonly concurrency: number | null;
  readonly paused: PausedDestination | null;
  /** The state that blocks most of all processes; null = not configured. `unknown`: no process has published it recently. */
  readonly breaker:
    | BreakerStatus
    | { readonly state: "unknown"; failures: null; probeAt: null }
    | null;
  readonly rateLimitedUntil: number | null;
  /** The number of attempts of all processes in flight; null = unknown. */
  readonly inFlight: number | null;
  readonly pending: number;
  /** Since when the delivery that is pending for the longest time is pending; null = none is pending. */
  readonly oldestPendingSince: number | null;
  /** 10,000 means 10,000 or more. */
  readonly exhausted: number;
}

export interface DestinationFacts {
  /** The destinations that current processes publish, newest process first. */
  readonly served: readonly PublishedDestination[];
  /** The names of the configured destinations if no process is current. */
  readonly configured: readonly string[];
  /** The destinations that the last process published. */
  readonly before: readonly PublishedDestination[];
  readonly gauges: readonly DestinationGauge[];
  readonly counts: readonly DeliveryCounts[];
  readonly paused: readonly PausedDestination[];
}

const UNKNOWN = { state: "unknown", failures: null, probeAt: null } as const;

/** Combines what the processes publish with what the store has, for every configured destination and every other one in use. */
export function reportDestinations(
  known: DestinationFacts,
): DestinationReport[] {
  const { served, configured, before, gauges, counts, paused } = known;
  const names = new Set([
    ...served.map(({ name }) => name),
    ...configured,
    ...gauges.map(({ destination }) => destination),
    ...counts.map(({ destination }) => destination),
    ...paused.map(({ name }) => name),
  ]);
  return [...names].map((name) => {
    const current = served.filter((one) => one.name === name);
    const isConfigured = current.length > 0 || configured.includes(name);
    const facts = isConfigured
      ? (current[0] ?? before.find((one) => one.name === name))
      : undefined;
    const gauge = gauges.find(({ destination }) => destination === name);
    const count = counts.find(({ destination }) => destination === name);
    return {
      name,
      isConfigured,
      kind: facts?.kind ?? null,
      place: facts?.place ?? null,
      sources: facts?.sources ?? [],
      events: facts?.events ?? [],
      orderBy: facts?.orderBy ?? null,
      concurrency: facts?.concurrency ?? null,
      paused: paused.find((one) => one.name === name) ?? null,
      ...(current.length > 0
        ? stateOf(current)
        : {
            breaker: isConfigured ? UNKNOWN : null,
            rateLimitedUntil: null,
            inFlight: isConfigured ? null : 0,
          }),
      pending: gauge?.pending ?? 0,
      oldestPendingSince: gauge?.oldestPendingSince ?? null,
      exhausted: count?.exhausted ?? 0,
    };
  });
}

const BLOCKING = ["closed", "half-open", "open"] as const;

/** Returns the state of a destination over all processes that serve it. Breakers are each process's own. */
function stateOf(
  current: readonly PublishedDestination[],
): Pick<DestinationReport, "breaker" | "rateLimitedUntil" | "inFlight"> {
  const [worst] = [...current].sort(
    (a, b) => BLOCKING.indexOf(b.breaker) - BLOCKING.indexOf(a.breaker),
  );
  return {
    breaker:
      worst === undefined
        ? UNKNOWN
        : {
            state: worst.breaker,
            failures: worst.failures ?? 0,
            probeAt: worst.probeAt,
          },
    rateLimitedUntil: current.reduce<number | null>(
      (latest, { rateLimitedUntil: until = null }) =>
        until === null ? latest : Math.max(latest ?? until, until),
      null,
    ),
    inFlight: current.reduce((sum, { inFlight = 0 }) => sum + inFlight, 0),
  };
}
