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
    const { source, body } = event;
    const bodySha256 = digest("sha256", body, "hex");
    const key = event.idSigned ? event.id : bodySha256;
    const claimKey = `${claim.signedAt ?? ""}/${claim.replayKey.toString("hex")}`;
    const isClaimed = claims.get(claimKey) !== undefined;
    claims.set(claimKey, true);
    if (isClaimed) {
      const earlier = [source, ...claim.sharedWith].flatMap(
        (name) => events.get(keyOf(name, key)) ?? [],
      );
      const same = earlier.find((one) => one.bodySha256 === bodySha256);
      if (same !== undefined || !claim.coversKey) {
        return { outcome: "replayed", id: same?.id ?? event.id };
      }
      if (earlier.length > 0) {
        return { outcome: "replayed_conflict", id: event.id };
      }
    }
    const known = events.get(keyOf(source, key));
    if (known !== undefined) {
      const isSame = known.bodySha256 === bodySha256;
      return { outcome: isSame ? "duplicate" : "conflict", id: known.id };
    }
    const id = idFor(event, bodySha256);
    events.set(keyOf(source, key), { id, bodySha256 });
    ids.set(keyOf(source, id), true);
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
