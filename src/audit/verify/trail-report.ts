import type { ChainHead } from "../chain.ts";
import type { ChainFault } from "./chain-fault.ts";
import type { WriterChain } from "./writer-chain.ts";

/** What is known of one writer's chain. */
export interface WriterReport {
  readonly writer: string;
  /** Entries that are in their place, up to the first fault. */
  readonly entries: number;
  /** The first and the last of them; 0 = none. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly lastHash: string;
  /** Up to here a signed checkpoint vouches for them, its own or one behind a start that names it; 0 = none does. */
  readonly anchoredTo: number;
  /** The key of its checkpoints: base64 of the SPKI DER. */
  readonly publicKey: string | null;
  /** Whether it ended in good order: what comes behind that is no entry of its own. */
  readonly ended: boolean;
  /** Whether some of its entries came again so far apart that nobody can tell whether they were the same. */
  readonly untold: boolean;
  readonly fault: ChainFault | null;
}

export interface TrailReport {
  readonly writers: readonly WriterReport[];
  readonly entries: number;
  /** Lines that are no entries, such as those of another program in the same stream. */
  readonly skipped: number;
  /** Lines that break off. What they were is there as well, or missed as any other. */
  readonly torn: number;
  /** Given heads of which nothing can be told, since the entries are purged, lie too far back, or before these lines. */
  readonly untold: readonly ChainHead[];
  /** The last entries of writers that these lines name and do not have: logs may begin after they had ended. */
  readonly absent: readonly ChainHead[];
}

/** What a chain as it was read amounts to. */
export function reportOf(chain: WriterChain): WriterReport {
  const { writer, entries, firstSeq, seq, hash, anchoredTo, publicKey } = chain;
  return {
    writer,
    entries,
    firstSeq,
    lastSeq: seq,
    lastHash: hash,
    anchoredTo,
    publicKey,
    ended: chain.ended,
    untold: chain.untold,
    fault: chain.fault,
  };
}
