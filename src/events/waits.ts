import type { DeliveryStatus } from "../domain/delivery.ts";
import { isCurrent } from "../status/current-processes.ts";
import type { DestinationReader } from "../store/port.ts";
import type {
  PausedDestination,
  PublishedDestination,
} from "../store/records.ts";

/** Why a pending delivery is not attempted now, in order of precedence. */
export const WAIT_REASONS = [
  "in_flight",
  "destination_gone",
  "paused",
  "order",
  "retry",
  "breaker_open",
  "rate_limit",
  "due",
] as const;

export type WaitReason = (typeof WAIT_REASONS)[number];

/** What a pending delivery waits for. */
export interface Wait {
  readonly reason: WaitReason;
  /** The pause of its destination, for the reason `paused`. */
  readonly pause?: PausedDestination;
}

/** Names of the destinations to which no attempts are made now, by reason. */
export interface HeldBack {
  /** The configured destinations; null = unknown. */
  readonly configured: ReadonlySet<string> | null;
  readonly paused: ReadonlyMap<string, PausedDestination>;
  readonly breakerOpen: ReadonlySet<string>;
  readonly rateLimited: ReadonlySet<string>;
}

/**
 * Reads which destinations get no attempts now, and why. `known` comes from the running service, or from the published
 * status of services.
 */
export async function readHeldBack(
  store: Pick<DestinationReader, "pausedDestinations">,
  known: {
    /** Names; null = unknown. */
    configured: readonly string[] | null;
    served: readonly Pick<
      PublishedDestination,
      "name" | "breaker" | "isRateLimited"
    >[];
  },
): Promise<HeldBack> {
  const { configured, served } = known;
  const paused = await store.pausedDestinations();
  return {
    configured: configured === null ? null : new Set(configured),
    paused: new Map(paused.map((pause) => [pause.name, pause])),
    breakerOpen: namesOf(served.filter((one) => one.breaker !== "closed")),
    rateLimited: namesOf(served.filter((one) => one.isRateLimited)),
  };
}

/** Returns the destinations that services have published and that are not outdated. */
export async function recentlyPublished(
  store: Pick<DestinationReader, "processStatuses">,
  now: number,
): Promise<readonly PublishedDestination[]> {
  return (await store.processStatuses())
    .filter((status) => isCurrent(status, now))
    .flatMap(({ destinations }) => destinations);
}

/** Returns what a delivery waits for, or null if it is not pending. If several reasons apply, the first in WAIT_REASONS wins. */
export function waitOf(
  delivery: DeliveryStatus,
  heldBack: HeldBack,
  now: number,
): Wait | null {
  if (delivery.state !== "pending") {
    return null;
  }
  const reason = reasonOf(delivery, heldBack, now);
  const pause = heldBack.paused.get(delivery.destination);
  return reason === "paused" && pause !== undefined
    ? { reason, pause }
    : { reason };
}

function reasonOf(
  delivery: DeliveryStatus,
  heldBack: HeldBack,
  now: number,
): WaitReason {
  const { destination, inFlight, nextAttemptAt } = delivery;
  if (inFlight) {
    return "in_flight";
  }
  if (heldBack.configured?.has(destination) === false) {
    return "destination_gone";
  }
  if (heldBack.paused.has(destination)) {
    return "paused";
  }
  if (nextAttemptAt === null) {
    return "order";
  }
  if (nextAttemptAt > now) {
    return "retry";
  }
  if (heldBack.breakerOpen.has(destination)) {
    return "breaker_open";
  }
  return heldBack.rateLimited.has(destination) ? "rate_limit" : "due";
}

function namesOf(named: readonly { readonly name: string }[]): Set<string> {
  return new Set(named.map(({ name }) => name));
}
