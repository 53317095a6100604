import type { ChainHead } from "../chain.ts";
import type { Fault } from "./fault.ts";
import type { WriterChain } from "./writer-chain.ts";

/** The result for one writer. `audit verify --json` prints it, so its names are fixed. */
export interface WriterReport {
  readonly writer: string;
  /** The number of valid entries before the first fault. */
  readonly entries: number;
  /** The first and the last of these entries; 0 = none. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly lastHash: string;
  /**
   * The last entry that a signature covers, in a checkpoint of this writer or in the signed start of a later one. 0 = none.
   */
  readonly anchoredTo: number;
  /**
   * The last entry that a head, an anchor or the signed start of another writer confirms; 0 = none. Later entries are
   * unproven: entries after them could have been cut off.
   */
  readonly confirmedTo: number;
  /** The key of its checkpoints: base64 of the SPKI DER. */
  readonly publicKey: string | null;
  /** Whether the writer has stopped: its last entry is the checkpoint after `server.stopped`. */
  readonly ended: boolean;
  /** The number of repeated, identical entries. */
  readonly repeats: number;
  /** The number of repeated entries that came too late to be compared. */
  readonly uncompared: number;
  /** Whether earlier entries are missing, and no signed statement says that they were deleted. */
  readonly beginsLate: boolean;
  readonly fault: Fault | null;
}

export interface TrailReport {
  readonly writers: readonly WriterReport[];
  readonly entries: number;
  /** The number of lines without an entry, such as those of another program in the same stream. */
  readonly skipped: number;
  /** The number of lines that break off. Their entries also appear complete, or are reported as missing. */
  readonly torn: number;
  /** Given heads that could not be checked: deleted by the retention, too far back to compare, or before these lines. */
  readonly unknownHeads: readonly ChainHead[];
  /** Whether statements were dropped because too many waited for a signature. Signed ones may be among the dropped ones. */
  readonly hasDroppedStatements: boolean;
  /** The number of given anchors, and how many of them are in the trail. */
  readonly anchors: { readonly given: number; readonly found: number };
  /** The last entries of writers that are named but absent. These lines may begin after those writers ended. */
  readonly absent: readonly ChainHead[];
  /** Stored events that differ from the trail. Empty if the lines do not come from a store. */
  readonly eventFaults: readonly Fault[];
}

export function reportOf(
  chain: WriterChain,
  facts: { readonly beginsLate: boolean },
): WriterReport {
  const { writer, entries, repeats, confirmedTo, ended, fault } = chain;
  const { first, last, uncompared } = chain.links;
  const { signedTo, publicKey } = chain.signatures;
  return {
    writer,
    entries,
    firstSeq: first.seq,
    lastSeq: last.seq,
    lastHash: last.hash,
    anchoredTo: signedTo,
    confirmedTo,
    publicKey,
    ended,
    repeats,
    uncompared,
    beginsLate: facts.beginsLate,
    fault,
  };
}
