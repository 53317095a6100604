import type { StoredEntry } from "../stored-entry.ts";

/** The outputs of the trail besides the store. */
export type SinkName = "stdout" | "file" | "anchors" | "analytics";

/** An entry that is sent to a sink. */
export type SinkRow = Pick<StoredEntry, "position" | "line">;

/** An output that receives the trail in order, and each entry at least once. */
export interface AuditSink {
  readonly name: SinkName;
  /** The maximum entries and bytes of one write. A single entry may be larger than `maxBytes`. */
  readonly maxRows: number;
  readonly maxBytes: number;
  /** How long a batch that is not full waits for more entries, in milliseconds. */
  readonly lingerMs: number;
  /** True: the processes of a store share the sink and one of them feeds it. False: each process feeds its own. */
  readonly shared: boolean;
  /** Whether a write that may have arrived must be repeated with exactly the same entries. */
  readonly exact: boolean;
  /**
   * Returns the last line that the sink has; null = not known. A killed process may have written entries after the saved
   * position.
   */
  readonly lastLine?: () => Promise<string | null>;
  /**
   * Resolves when the sink has accepted the entries. Rejects with SinkError if it may not have accepted them. Then they are
   * written again.
   */
  readonly write: (
    rows: readonly SinkRow[],
    signal: AbortSignal,
  ) => Promise<void>;
  readonly close?: () => Promise<void>;
}

/** A sink did not accept entries. */
export class SinkError extends Error {
  override readonly name = "SinkError";
  /** A short word for the audit trail. */
  readonly reason: string;
  readonly status: number | undefined;
  /** The wait that the sink requested; 0 = none. */
  readonly retryAfterMs: number;
  /** `temporary`: a retry may work. `blocked`: an operator must act first. `final`: no retry can work. */
  readonly kind: "temporary" | "blocked" | "final";
  /** The sink may accept a smaller batch. */
  readonly tooLarge: boolean;

  constructor(
    reason: string,
    options: {
      status?: number | undefined;
      retryAfterMs?: number;
      kind?: SinkError["kind"];
      tooLarge?: boolean;
    } = {},
  ) {
    super(reason);
    this.reason = reason;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs ?? 0;
    this.kind = options.kind ?? "temporary";
    this.tooLarge = options.tooLarge ?? false;
  }
}
