import { hash as digest } from "node:crypto";
import type { Recorded } from "../../domain/event.ts";
import type { EventRecord } from "../../store/records.ts";
import type { EventStore } from "../../store/port.ts";

interface KnownEvent {
  readonly id: string;
  readonly bodySha256: string;
}

/** How many digits of the digest are appended to an id that another event has. */
const SUFFIX_DIGITS = 12;

/**
 * Remembers the latest events in memory, and decides about each message as a store does: whether it is new, a duplicate, a
 * replay or a conflict. `limit`: the number of events.
 */
export function createRecentEvents(limit: number): Pick<EventStore, "record"> {
  const events = createRecentMap<KnownEvent>(limit);
  const claims = createRecentMap<true>(limit);
  const ids = createRecentMap<true>(limit);

  function idFor(
    { source, id, idSigned }: EventRecord["event"],
    bodySha256: string,
  ): string {
    let free = id;
    while (!idSigned && ids.get(keyOf(source, free)) !== undefined) {
      free = `${free}~${bodySha256.slice(0, SUFFIX_DIGITS)}`;
    }
    return free;
  }

  function decide({ event, claim }: EventRecord): Recorded {
    const bodySha256 = digest("sha256", event.body, "hex");
    const key = keyOf(event.source, event.idSigned ? event.id : bodySha256);
    const known = events.get(key);
    const isSame = known?.bodySha256 === bodySha256;
    const claimKey = `${claim.signedAt ?? ""}/${claim.replayKey.toString("hex")}`;
    const isReplay = claims.get(claimKey) !== undefined;
    claims.set(claimKey, true);
    if (isReplay) {
      return {
        outcome:
          known === undefined || isSame ? "replayed" : "replayed_conflict",
        id: known?.id ?? event.id,
      };
    }
    if (known !== undefined) {
      return { outcome: isSame ? "duplicate" : "conflict", id: known.id };
    }
    const id = idFor(event, bodySha256);
    events.set(key, { id, bodySha256 });
    ids.set(keyOf(event.source, id), true);
    return { outcome: "accepted", id };
  }

  return { record: async (record) => decide(record) };
}

const keyOf = (source: string, id: string): string => `${source}/${id}`;

/** A map of at most `limit` values; the oldest one makes room. */
function createRecentMap<T>(limit: number) {
  const values = new Map<string, T>();
  return {
    get: (key: string): T | undefined => values.get(key),
    set: (key: string, value: T): void => {
      values.delete(key);
      values.set(key, value);
      for (const oldest of values.keys()) {
        if (values.size <= limit) {
          break;
        }
        values.delete(oldest);
      }
    },
  };
}
