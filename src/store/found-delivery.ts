import type { DeliveryFacts } from "../domain/delivery.ts";
import { AFTER_ANOTHER } from "./limits.ts";
import type { DiscardOutcome, RedeliveryOutcome } from "./records.ts";

/** The current state of a delivery that an operator's request names. */
export interface FoundDelivery extends DeliveryFacts {
  readonly dueAt: number;
  /** `lost`: its lease has ended, so the process of the attempt is dead. */
  readonly lease: Lease;
  readonly claimedAt: number | null;
  /** How often the process died during an attempt, without the attempt of a lost lease. */
  readonly crashes: number;
}

type Lease = "none" | "in_flight" | "lost";

export function leaseOf(
  { isLeased, dueAt }: { isLeased: boolean; dueAt: number },
  now: number,
): Lease {
  return !isLeased ? "none" : dueAt > now ? "in_flight" : "lost";
}

/**
 * Returns why a delivery cannot be redelivered; null = it can be. `destinations`: the configured ones; undefined = all are
 * permitted.
 */
export function redeliveryProblem(
  { destination, state, lease, dueAt }: FoundDelivery,
  destinations: readonly string[] | undefined,
): Exclude<RedeliveryOutcome, "redelivered" | "unknown"> | null {
  if (destinations?.includes(destination) === false) {
    return "destination_gone";
  }
  return state === "pending" &&
    (lease === "in_flight" || dueAt === AFTER_ANOTHER)
    ? "in_flight"
    : null;
}

/**
 * Returns why a delivery cannot be discarded; null = it can be. The result of an attempt in flight must be recorded, because
 * the attempt may succeed.
 */
export function discardProblem({
  state,
  lease,
}: FoundDelivery): Exclude<DiscardOutcome, "discarded" | "unknown"> | null {
  if (state !== "pending" && state !== "exhausted") {
    return "ended";
  }
  return lease === "in_flight" ? "in_flight" : null;
}

/**
 * Whether the discard of a delivery may make another one due. Only the first delivery of an order key advances the key. After
 * another delivery, the first one may still be in flight, and its lease must not end.
 */
export const advancesOnDiscard = ({ state, dueAt }: FoundDelivery): boolean =>
  state === "pending" && dueAt !== AFTER_ANOTHER;
