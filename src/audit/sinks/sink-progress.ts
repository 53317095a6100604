import type { SinkPosition } from "../../store/records.ts";
import type { Control } from "../../store/port.ts";
import type { AuditSink, SinkName, SinkRow } from "./sink.ts";

/** The position of a sink is saved after this time or this many entries, whichever comes first. */
const SAVE_EVERY_MS = 1000;
const SAVE_EVERY_ROWS = 500;

/** The position of a sink is saved at least this often, in milliseconds, even if it has not changed. */
export const SEEN_EVERY_MS = 3_600_000;

/** The maximum number of entries that a killed process can have written to a sink after it last saved the position. */
const LOOK_AHEAD = 5000;

export interface ProgressStore extends Pick<
  Control,
  "sinkPosition" | "saveSinkPosition"
> {
  /** Reads up to `limit` entries after `position`, in order. */
  readonly readAudit: (
    position: number,
    limit: number,
  ) => Promise<readonly SinkRow[]>;
}

/** The position of a sink, in memory and in the store. The saves reject with SinkLeaseLost. */
export interface SinkProgress {
  /** The sink has accepted all entries up to here. */
  readonly position: () => number;
  /** A write up to here was started and may have arrived. */
  readonly sending: () => number;
  /** Records that the sink has accepted `rows` more entries, up to this position. */
  readonly accepted: (position: number, rows: number) => void;
  /** Saves that a write up to this position is about to start. */
  readonly startSending: (position: number) => Promise<void>;
  /** Records that the write did not arrive, so the next one may be smaller. */
  readonly cancelSending: () => void;
  /** Saves the position if the last save is long enough ago. */
  readonly saveIfDue: () => Promise<void>;
  readonly save: () => Promise<void>;
  /**
   * Loads the position to resume from: another process may have fed the sink, or was killed before it saved the position.
   * Returns when the sink stopped accepting entries (unix milliseconds); null = it accepts them.
   */
  readonly load: () => Promise<number | null>;
}

/** Another process feeds the sink now, so this one must not save its position. */
export class SinkLeaseLost extends Error {
  override readonly name = "SinkLeaseLost";
}

/**
 * Returns the saved position of a sink. For a sink that is new to the store it first saves `from` as the position. When
 * several processes do this at the same time, the first one wins.
 */
export async function savedPosition(
  store: ProgressStore,
  name: SinkName,
  from: number,
): Promise<SinkPosition> {
  const existing = await store.sinkPosition(name);
  if (existing !== null) {
    return existing;
  }
  const fresh = { position: from, sending: from, degradedSince: null };
  return (await store.saveSinkPosition(name, fresh))
    ? fresh
    : ((await store.sinkPosition(name)) ?? fresh);
}

/**
 * Creates the progress of a sink. `initial`: the saved position at startup. `degradedSince`: returns when the sink stopped
 * accepting entries (unix milliseconds); null = it accepts them. This time is saved for the next process that feeds the
 * sink.
 */
export function createSinkProgress(
  store: ProgressStore,
  sink: Pick<AuditSink, "name" | "lastLine">,
  initial: SinkPosition,
  degradedSince: () => number | null,
): SinkProgress {
  let saved = initial;
  let { position, sending } = initial;
  let unsaved = 0;
  let savedAt = Number.NEGATIVE_INFINITY;

  async function load(): Promise<number | null> {
    saved = (await store.sinkPosition(sink.name)) ?? saved;
    position = await lastAccepted(saved.position);
    sending = Math.max(position, saved.sending);
    return saved.degradedSince;
  }

  /** Returns the position of the sink's last line, or the saved position `from` if the line cannot be read or found. */
  async function lastAccepted(from: number): Promise<number> {
    const line = (await sink.lastLine?.()) ?? null;
    if (line === null) {
      return from;
    }
    const ahead = await store.readAudit(from, LOOK_AHEAD);
    return ahead.find((row) => row.line === line)?.position ?? from;
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
    if (!(await store.saveSinkPosition(sink.name, saved))) {
      throw new SinkLeaseLost("another process feeds the sink");
    }
  }

  return {
    position: () => position,
    sending: () => sending,
    accepted(to, rows) {
      position = to;
      sending = to;
      unsaved += rows;
    },
    async startSending(to) {
      sending = to;
      await save();
    },
    cancelSending() {
      sending = position;
    },
    async saveIfDue() {
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
