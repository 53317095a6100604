import type { StoreError } from "../../errors.ts";
import type { Commit } from "../port.ts";
import type { PackedRecords } from "./packed-records.ts";
import type { SerializedError } from "./serialized-error.ts";

/* Messages between a store thread and its caller's thread. One message contains all calls of one turn of the event loop. */

/** A call of a method by its name. */
export interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** The message that ends the thread. The thread starts no further calls. */
export const END = "end";

export interface ThreadRequest {
  /** The time of the caller's clock, for the whole message. Unix milliseconds. */
  readonly now: number;
  readonly records: PackedRecords | null;
  readonly calls: readonly Call[];
}

export interface ThreadResponse {
  readonly commits: readonly Commit[];
  /** For each record: the id of the call, the outcome, and the id of the event. */
  readonly recorded: readonly (number | string)[];
  readonly results: readonly { readonly id: number; readonly value: unknown }[];
  readonly failures: readonly {
    readonly id: number;
    readonly error: SerializedError;
  }[];
  /** Set when the store can no longer be trusted. */
  readonly fatal: SerializedError | null;
}

/** What the caller provides to a store thread. */
export interface CallerDeps {
  /** Unix milliseconds. On the store's thread: the time of the last message. */
  readonly now: () => number;
  readonly onCommit: (commit: Commit) => void;
  /** Called when the store can no longer be trusted. */
  readonly onFatal: (error: StoreError) => void;
}
