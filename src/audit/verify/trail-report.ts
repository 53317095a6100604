import type { ChainHead } from "../chain.ts";
import type { Fault } from "./fault.ts";
import type { WriterChain } from "./writer-chain.ts";

/** What is known of the entries of one writer. */
export interface WriterReport {
  readonly writer: string;
  /** Entries that are in their place, up to the first fault. */
  readonly entries: number;
  /** The first and the last of them; 0 = none. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly lastHash: string;
  /** Up to here a signature vouches for them, its own or that of a start that names it; 0 = none does. */
  readonly anchoredTo: number;
  /**
   * Up to here a head, an anchor or a signed start of another writer confirms that they were there; 0 = none does. What
   * follows is unproven: more entries could have been cut off after it.
   */
  readonly confirmedTo: number;
  /** The key of its checkpoints: base64 of the SPKI DER. */
  readonly publicKey: string | null;
  /** Whether it has stopped: a checkpoint after `server.stopped` is its last entry. */
  readonly ended: boolean;
  /** Entries that came again, identical. */
  readonly repeats: number;
  /** How many of them came again too late to be compared. */
  readonly uncompared: number;
  /** Whether it begins in the middle and nothing says that it may: what was before is not known. */
  readonly beginsLate: boolean;
  readonly fault: Fault | null;
}

export interface TrailReport {
  readonly writers: readonly WriterReport[];
  readonly entries: number;
  /** Lines that are no entries, such as those of another program in the same stream. */
  readonly skipped: number;
  /** Lines that break off. What they were is there as well, or missing. */
  readonly torn: number;
  /** Given heads of which nothing is known: deleted by the retention, too far back to be compared, or before these lines. */
  readonly unknownHeads: readonly ChainHead[];
  /** Whether more unsigned statements came than are kept: what a signed one of them says is not known. */
  readonly hasDroppedStatements: boolean;
  /** How many anchors were given, and how many of them are in the trail. */
  readonly anchors: { readonly given: number; readonly found: number };
  /** The last entries of writers that these lines name and do not have: the lines may begin after those had ended. */
  readonly absent: readonly ChainHead[];
  /** Stored events that differ from the trail; empty for lines that come from elsewhere. */
  readonly eventFaults: readonly Fault[];
}

export function reportOf(
  chain: WriterChain,
  facts: { readonly beginsLate: boolean },
): WriterReport {
  const { writer, entries, repeats, confirmedTo, ended, fault } = chain;
  const { first, last, uncompared } = chain.links;
  const { anchoredTo, publicKey } = chain.signatures;
  return {
    writer,
    entries,
    firstSeq: first.seq,
    lastSeq: last.seq,
    lastHash: last.hash,
    anchoredTo,
    confirmedTo,
    publicKey,
    ended,
    repeats,
    uncompared,
    beginsLate: facts.beginsLate,
    fault,
  };
}
