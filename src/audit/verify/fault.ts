/** What is wrong with a trail, by code. `cli/ui/verify-report.ts` has the words, docs/audit.md explains each. */
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

/** The first thing that is wrong with the entries of a writer, or with a stored event. */
export interface Fault {
  readonly code: FaultCode;
  readonly writer: string;
  /** 0 = not known. */
  readonly seq: number;
  /** The first entry that may have been changed, where `seq` is only where it shows. */
  readonly from?: number;
  /** The number of the line, from 1, of an entry whose place is not known. */
  readonly line?: number;
  /** `SOURCE/ID` of the event. */
  readonly event?: string;
}
