import type { SinkPosition } from "../../store/records.ts";
import type { Control } from "../../store/port.ts";
import type { AuditSink, SinkName, SinkRow } from "./sink.ts";

/** How far a sink has come is noted so long after the last time, or so many entries, whichever comes first. */
const SAVE_EVERY_MS = 1000;
const SAVE_EVERY_ROWS = 500;

/** A sink that some process feeds is noted at least this often, also when nothing moves. */
export const SEEN_EVERY_MS = 3_600_000;

/** A killed process cannot have handed over more than this without noting it: what lies further on was not given before. */
const LOOK_AHEAD = 5000;

export interface ProgressStore extends Pick<
  Control,
  "sinkPosition" | "saveSinkPosition"
> {
  /** Up to `limit` entries after `position`, in order. */
  readonly readAudit: (
    position: number,
    limit: number,
  ) => Promise<readonly SinkRow[]>;
}

/** How far a sink has come, here and in the store. */
export interface SinkProgress {
  readonly position: () => number;
  readonly sending: () => number;
  /** Everything up to here was taken. */
  readonly took: (position: number, rows: number) => void;
  /** Up to here it is handed over now; noted before that. */
  readonly sends: (position: number) => Promise<void>;
  /** What is handed over next may be less than what was refused. */
  readonly takesBack: () => void;
  /** Notes it, unless that was done a moment ago. */
  readonly saveNowAndThen: () => Promise<void>;
  readonly save: () => Promise<void>;
  /**
   * Where to go on: another process may have fed the sink meanwhile, or have been killed before it noted what it did. Gives
   * since when the sink takes no entries, null = it takes them.
   */
  readonly load: () => Promise<number | null>;
}

/** Where a sink is to go on; one that is new to the store is noted at `from`, so that it begins there whatever happens. */
export async function notedPosition(
  store: ProgressStore,
  name: SinkName,
  from: number,
): Promise<SinkPosition> {
  const noted = await store.sinkPosition(name);
  if (noted !== null) {
    return noted;
  }
  const fresh = { position: from, sending: from, degradedSince: null };
  await store.saveSinkPosition(name, fresh);
  return fresh;
}

/**
 * `noted`: where the sink was when this process came. `degradedSince`: since when the sink takes no entries, for the process
 * that feeds it after this one (unix milliseconds); null = it takes them.
 */
export function createSinkProgress(
  store: ProgressStore,
  sink: Pick<AuditSink, "name" | "lastLine">,
  noted: SinkPosition,
  degradedSince: () => number | null,
): SinkProgress {
  let saved = noted;
  let { position, sending } = noted;
  let unsaved = 0;
  let savedAt = Number.NEGATIVE_INFINITY;

  async function load(): Promise<number | null> {
    saved = (await store.sinkPosition(sink.name)) ?? saved;
    position = await lastTaken(saved.position);
    sending = Math.max(position, saved.sending);
    return saved.degradedSince;
  }

  /** Where the sink itself says that it is, as far as it can. */
  async function lastTaken(noted: number): Promise<number> {
    const line = (await sink.lastLine?.()) ?? null;
    if (line === null) {
      return noted;
    }
    const ahead = await store.readAudit(noted, LOOK_AHEAD);
    return ahead.find((row) => row.line === line)?.position ?? noted;
  }

  async function save(): Promise<void> {
    if (
      position !== saved.position ||
      sending !== saved.sending ||
      degradedSince() !== saved.degradedSince
    ) {
      await write();
    }
  }

  async function write(): Promise<void> {
    saved = { position, sending, degradedSince: degradedSince() };
    savedAt = performance.now();
    unsaved = 0;
    await store.saveSinkPosition(sink.name, saved);
  }

  return {
    position: () => position,
    sending: () => sending,
    took(to, rows) {
      position = to;
      sending = to;
      unsaved += rows;
    },
    async sends(to) {
      sending = to;
      await save();
    },
    takesBack() {
      sending = position;
    },
    async saveNowAndThen() {
      const elapsed = performance.now() - savedAt;
      if (elapsed >= SEEN_EVERY_MS) {
        await write();
      } else if (unsaved >= SAVE_EVERY_ROWS || elapsed >= SAVE_EVERY_MS) {
        await save();
      }
    },
    save,
    load,
  };
}
