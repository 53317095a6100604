/** The codes of faults. `cli/ui/verify-report.ts` has their texts; docs/audit-reference.md explains each. */
export const FAULT_CODES = [
  "edited",
  "missing",
  "reordered",
  "inserted",
  "unlinked",
  "signature_mismatch",
  "head_mismatch",
  "unsigned",
  "foreign_key",
  "cut_off",
  "writer_gone",
  "unknown_writer",
  "unreadable",
  "event_missing",
  "event_without_entry",
  "body_changed",
] as const;

export type FaultCode = (typeof FAULT_CODES)[number];

/** The first fault in the entries of a writer, or the fault of a stored event. */
export interface Fault {
  readonly code: FaultCode;
  readonly writer: string;
  /** 0 = unknown. */
  readonly seq: number;
  /** The first entry that may have been changed, if the change shows only at `seq`. */
  readonly from?: number;
  /** The line number, from 1, of an entry whose place is unknown. */
  readonly line?: number;
  /** `SOURCE/ID` of the event. */
  readonly event?: string;
}
