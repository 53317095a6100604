import type { StoredEntry } from "../stored-entry.ts";

/** Where the trail goes besides the store. */
export type SinkName = "stdout" | "file" | "anchors" | "analytics";

/** An entry on its way to a sink. */
export type SinkRow = Pick<StoredEntry, "position" | "line">;

/** A place that is fed with the trail, in order, and with each entry at least once. */
export interface AuditSink {
  readonly name: SinkName;
  /** So many entries, and so many bytes of lines, are handed over at once at most; one entry in any case. */
  readonly maxRows: number;
  readonly maxBytes: number;
  /** How long a batch that is not full waits for more, in milliseconds. */
  readonly lingerMs: number;
  /** Whether processes on a store share it, so that one of them feeds it; else each feeds its own. */
  readonly shared: boolean;
  /** Whether what may have arrived already has to be handed over again exactly as it was. */
  readonly exact: boolean;
  /** The last line that it has, where it can tell: a process that was killed may have handed over more than it noted. */
  readonly lastLine?: () => Promise<string | null>;
  /** Resolves when the entries are taken. Rejects with SinkFault when they may not be: they are handed over again. */
  readonly write: (
    rows: readonly SinkRow[],
    signal: AbortSignal,
  ) => Promise<void>;
  readonly close?: () => Promise<void>;
}

/** Why a sink did not take entries. */
export class SinkFault extends Error {
  override readonly name = "SinkFault";
  /** A short word, for the audit trail. */
  readonly reason: string;
  readonly status: number | undefined;
  /** How long it asked to be left alone. */
  readonly retryAfterMs: number;
  /** `passing`: it may well take them next time. `blocked`: not before somebody does something. `final`: never again. */
  readonly kind: "passing" | "blocked" | "final";
  /** It may take fewer at once. */
  readonly tooLarge: boolean;

  constructor(
    reason: string,
    options: {
      status?: number | undefined;
      retryAfterMs?: number;
      kind?: SinkFault["kind"];
      tooLarge?: boolean;
    } = {},
  ) {
    super(reason);
    this.reason = reason;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs ?? 0;
    this.kind = options.kind ?? "passing";
    this.tooLarge = options.tooLarge ?? false;
  }
}
