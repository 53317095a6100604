import type { RecordOutcome } from "../../domain/event.ts";
import type { StoreError } from "../../errors.ts";
import type { Commit } from "../port.ts";
import type { PackedRecords } from "./packed-records.ts";
import type { SerializedError } from "./serialized-error.ts";

/* Messages between a store thread and the thread that uses it. One message holds everything of one turn. */

/** A call of a method by its name. */
export interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** A message instead of a request: the thread ends, whatever it has not begun. */
export const END = "end";

export interface ThreadRequest {
  /** The time of the caller's clock, for the whole message. Unix milliseconds. */
  readonly now: number;
  readonly records: PackedRecords | null;
  readonly calls: readonly Call[];
}

export interface ThreadResponse {
  readonly commits: readonly Commit[];
  /** Ids of records, each followed by its outcome. */
  readonly outcomes: readonly (number | RecordOutcome)[];
  readonly results: readonly { readonly id: number; readonly value: unknown }[];
  readonly failures: readonly {
    readonly id: number;
    readonly error: SerializedError;
  }[];
  /** Set when the store cannot be trusted any more. */
  readonly fatal: SerializedError | null;
}

/** What a store thread takes from the thread that uses it. */
export interface CallerDeps {
  /** Unix milliseconds. On the store's thread: as of the last message. */
  readonly now: () => number;
  readonly onCommit: (commit: Commit) => void;
  /** Called when the store cannot be trusted any more. */
  readonly onFatal: (error: StoreError) => void;
}
