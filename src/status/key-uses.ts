import { timeOfLine } from "../audit/entry.ts";
import { newestFirst } from "../audit/search/newest-first.ts";
import { parseEntry } from "../audit/parsed-entry.ts";
import type { AuditReader, Control, StoreReader } from "../store/port.ts";
import type { KeyUse } from "../store/records.ts";

/** How far the first reading goes back in the trail: at most this many steps, with at most this many entries each. */
const MAX_STEPS = 40;
const STEP = 500;

/** Clocks of several processes may differ by this much, in milliseconds. */
const MARGIN_MS = 10_000;

/** When each key last signed an event that was accepted: in this process, and in the store for all processes. */
export interface KeyUses {
  /** Notes that a key was used now. */
  readonly note: (source: string, keyId: string) => void;
  /** Returns the uses that this process has noted or found. */
  readonly own: () => readonly KeyUse[];
  /** Saves the uses that have changed since the last call. */
  readonly save: (store: Pick<Control, "noteUse">) => Promise<void>;
  /**
   * Returns the last use of each key. The first call also reads the end of the trail, because a killed process has not saved
   * the uses of its last seconds.
   */
  readonly all: (
    store: Pick<StoreReader, "lastUses"> & Pick<AuditReader, "searchAudit">,
  ) => Promise<readonly KeyUse[]>;
}

export function createKeyUses(deps: {
  /** Unix milliseconds. */
  readonly now: () => number;
}): KeyUses {
  const own = createLatest();
  const saved = createLatest();
  let isTrailRead = false;

  async function readTrail(
    store: Pick<AuditReader, "searchAudit">,
    since: number,
  ): Promise<void> {
    const containing = ['"action":"webhook.accepted"'];
    let steps = 0;
    for await (const { rows } of newestFirst(store, {
      limit: STEP,
      containing,
    })) {
      for (const { line } of rows) {
        const at = timeOfLine(line);
        if (at < since) {
          return;
        }
        const { source, keyId } = parseEntry(line)?.metadata ?? {};
        if (typeof source === "string" && typeof keyId === "string") {
          own.add(source, keyId, at);
        }
      }
      steps += 1;
      if (steps === MAX_STEPS) {
        return;
      }
    }
  }

  return {
    note(source, keyId) {
      own.add(source, keyId, deps.now());
    },
    own: own.all,
    async save(store) {
      const changed = own
        .all()
        .filter(({ source, keyId, at }) => at > saved.at(source, keyId));
      if (changed.length > 0) {
        await store.noteUse(changed);
        for (const { source, keyId, at } of changed) {
          saved.add(source, keyId, at);
        }
      }
    },
    async all(store) {
      const stored = await store.lastUses();
      if (!isTrailRead) {
        const newest = Math.max(0, ...stored.map(({ at }) => at));
        await readTrail(store, newest - MARGIN_MS);
        isTrailRead = true;
      }
      const latest = createLatest();
      for (const { source, keyId, at } of [...stored, ...own.all()]) {
        latest.add(source, keyId, at);
      }
      return latest.all();
    },
  };
}

/** Keeps the latest time for each source and key. */
function createLatest() {
  const sources = new Map<string, Map<string, number>>();
  return {
    add(source: string, keyId: string, at: number): void {
      let keys = sources.get(source);
      if (keys === undefined) {
        keys = new Map();
        sources.set(source, keys);
      }
      if (at > (keys.get(keyId) ?? Number.NEGATIVE_INFINITY)) {
        keys.set(keyId, at);
      }
    },
    at: (source: string, keyId: string): number =>
      sources.get(source)?.get(keyId) ?? Number.NEGATIVE_INFINITY,
    all: (): KeyUse[] =>
      [...sources].flatMap(([source, keys]) =>
        [...keys].map(([keyId, at]) => ({ source, keyId, at })),
      ),
  };
}
