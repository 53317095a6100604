import { type ChainHead, GENESIS, hashLine, splitHash } from "./chain.ts";
import { isSigned } from "./checkpoint.ts";
import { hasAction, timeOfLine } from "./entry.ts";
import { isExactLine, parseEntry, type ParsedEntry } from "./parsed-entry.ts";
import { placeOfLine, type StoredEntry } from "./stored-entry.ts";

/*
 * Whether old entries are what was written, before the retention deletes them and signs that it did: one who can write the
 * store, without the signing key, could otherwise make young entries old, or have it sign that it deleted what they deleted.
 */

/** What a proof asks the store for. Lines are those of one writer, in order, and nothing in them is proven. */
export interface TrailLookup {
  /** The start of a writer and its first checkpoint, as far as they are stored. */
  readonly startLines: (writer: string) => readonly string[];
  /** The last checkpoint of a writer and the entries after it. */
  readonly endLines: (writer: string) => readonly string[];
  /** The last entry of a writer, as the table of heads has it. */
  readonly head: (writer: string) => ChainHead | undefined;
  /** The next writers after this one, more than a start names, oldest first. */
  readonly writersAfter: (writer: string) => readonly string[];
  /** The entry that names what was last deleted of a writer, and those of its own writer after it. */
  readonly reportLines: (writer: string) => readonly string[];
}

/**
 * `incomplete`: no end to delete up to is among them. `unproven`: not proven yet. `changed`: they are not what was written,
 * from this number on.
 */
export type Proof =
  | {
      readonly verdict: "proven";
      /** How many of the entries may be deleted, from the first on. */
      readonly count: number;
      /** How many of them a signature covers. */
      readonly signed: number;
    }
  | { readonly verdict: "incomplete" | "unproven" }
  | { readonly verdict: "changed"; readonly seq: number };

const UNPROVEN = { verdict: "unproven" } as const;
const INCOMPLETE = { verdict: "incomplete" } as const;

/** What a signature says of a checkpoint. `timed`: its time is signed as well. `unproven`: its key is not known. */
type Signature = "timed" | "signed" | "unproven" | "changed" | "none";

/** A start whose checkpoint is signed: it names the last entries of writers before it. */
interface SignedStart {
  readonly key: string;
  readonly at: number;
  readonly heads: readonly unknown[];
}

/** What the present key vouches for: this last entry of a writer was there at this time (unix milliseconds). */
interface Vouched {
  readonly head: ChainHead;
  readonly at: number;
}

/**
 * Proves entries for one step of the retention. `ownKey`: what this process's checkpoints are verified with. `before`: entries
 * before this time are old, in unix milliseconds.
 */
export function createRetentionProof(
  lookup: TrailLookup,
  { ownKey, before }: { ownKey: string; before: number },
): (entries: readonly StoredEntry[], hasEnded: boolean) => Proof {
  const starts = new Map<string, SignedStart | null>();
  const vouchers = new Map<string, Vouched | null>();

  /**
   * A signed checkpoint covers all entries before it, with their times. Of a writer that has ended the last entry must be
   * one, with a signed time, or a start that is old itself names it. What is kept begins with a checkpoint otherwise.
   */
  function prove(entries: readonly StoredEntry[], hasEnded: boolean): Proof {
    const checkpoint = entries.findLastIndex(
      ({ line }, i) => i > 0 && hasAction(line, "audit.checkpoint"),
    );
    const upTo = hasEnded ? entries.length - 1 : checkpoint;
    const writer = entries[0]?.writer;
    if (upTo === -1 || writer === undefined) {
      return INCOMPLETE;
    }
    const lines = entries.map(({ line }) => line);
    const broken = firstBroken(writer, lines.slice(0, upTo + 1));
    if (broken !== -1) {
      return changed(lines[broken]);
    }
    const beginning = proveBeginning(writer, lines[0] ?? "");
    if (beginning !== "proven") {
      return beginning === "changed" ? changed(lines[0]) : UNPROVEN;
    }
    const signature = signatureOf(writer, lines[checkpoint]);
    if (signature === "changed") {
      return changed(lines[checkpoint]);
    }
    const signed =
      signature === "timed" || signature === "signed" ? checkpoint : 0;
    const endsSigned = upTo === checkpoint && signature === "timed";
    const { hash } = placeOfLine(lines.at(-1) ?? "");
    const isNamed = (): boolean => oldVouched(writer)?.head.hash === hash;
    if (hasEnded && (endsSigned || isNamed())) {
      return { verdict: "proven", count: entries.length, signed };
    }
    if (signed > 0) {
      return { verdict: "proven", count: signed, signed };
    }
    // A few last entries wait for a start that names them; those with an earlier key wait for long.
    return signature === "unproven" ? UNPROVEN : INCOMPLETE;
  }

  /** The first entry that is stored of a writer is its first, or a signed entry names the one before it as deleted. */
  function proveBeginning(
    writer: string,
    line: string,
  ): "proven" | "unproven" | "changed" {
    const { seq, prev } = placeOfLine(line);
    if (seq === 1) {
      return prev === GENESIS ? "proven" : "changed";
    }
    const lines = lookup.reportLines(writer);
    const report = parseEntry(lines[0] ?? "");
    const head = { writer, seq: seq - 1, hash: prev };
    if (report === null || !reportedHeads(report).some(isHead(head))) {
      return "changed";
    }
    const by = report.chain.writer;
    const checkpoint = lines.findIndex((one) =>
      hasAction(one, "audit.checkpoint"),
    );
    if (firstBroken(by, lines.slice(0, checkpoint + 1)) !== -1) {
      return "changed";
    }
    const signature = signatureOf(by, lines[checkpoint]);
    if (signature === "signed" || signature === "timed") {
      return "proven";
    }
    return signature === "none" ? "changed" : signature;
  }

  function signatureOf(writer: string, line: string | undefined): Signature {
    if (line === undefined) {
      return "none";
    }
    const entry = parseEntry(line);
    if (
      entry?.chain.writer !== writer ||
      !isExactLine(line, entry) ||
      !isSigned(entry, { strict: false })
    ) {
      return "changed";
    }
    if (!isKnownKey(String(entry.metadata["publicKey"]), writer)) {
      return "unproven";
    }
    return isSigned(entry, { strict: true }) ? "timed" : "signed";
  }

  /** A writer has one key: the present one, or that of the last checkpoint which is vouched for. */
  function isKnownKey(key: string, writer: string): boolean {
    if (key === ownKey) {
      return true;
    }
    const known = oldVouched(writer);
    return known !== null && lastKey(known.head) === key;
  }

  /** What is vouched for by a start that is old itself: then what it names is old, whatever it says. */
  function oldVouched(writer: string): Vouched | null {
    const known = vouched(writer);
    return known !== null && known.at < before ? known : null;
  }

  function vouched(writer: string): Vouched | null {
    const known = vouchers.get(writer);
    if (known !== undefined) {
      return known;
    }
    const found = vouchFor(writer);
    vouchers.set(writer, found);
    return found;
  }

  function vouchFor(writer: string): Vouched | null {
    const head = lookup.head(writer);
    if (head === undefined) {
      return null;
    }
    const names = isHead(head);
    const earlier: { by: string; key: string }[] = [];
    for (const by of lookup.writersAfter(writer)) {
      const start = startOf(by);
      if (start?.heads.some(names) !== true) {
        continue;
      }
      if (start.key === ownKey) {
        return { head, at: start.at };
      }
      earlier.push({ by, key: start.key });
    }
    // A start with an earlier key counts when the present key vouches for that one.
    for (const { by, key } of earlier.reverse()) {
      const further = vouched(by);
      if (further !== null && lastKey(further.head) === key) {
        return { head, at: further.at };
      }
    }
    return null;
  }

  /** The key of the checkpoint that the last entry of a writer is, or follows. */
  function lastKey({ writer, hash }: ChainHead): string | null {
    const lines = lookup.endLines(writer);
    const checkpoint = parseEntry(lines[0] ?? "");
    return checkpoint !== null &&
      placeOfLine(lines.at(-1) ?? "").hash === hash &&
      firstBroken(writer, lines) === -1
      ? String(checkpoint.metadata["publicKey"])
      : null;
  }

  function startOf(writer: string): SignedStart | null {
    const known = starts.get(writer);
    if (known !== undefined) {
      return known;
    }
    const found = readStart(writer, lookup.startLines(writer));
    starts.set(writer, found);
    return found;
  }

  return prove;
}

/** The index of the first entry that is not what its hash covers, or does not follow the one before it; -1 = none. */
function firstBroken(writer: string, lines: readonly string[]): number {
  let last: ChainHead | null = null;
  for (const [i, line] of lines.entries()) {
    const split = splitHash(line);
    const place = placeOfLine(line);
    if (
      split === null ||
      hashLine(split.covered) !== split.claimed ||
      place.writer !== writer ||
      (last !== null &&
        (place.seq !== last.seq + 1 || place.prev !== last.hash))
    ) {
      return i;
    }
    last = { writer, seq: place.seq, hash: split.claimed };
  }
  return -1;
}

function readStart(
  writer: string,
  lines: readonly string[],
): SignedStart | null {
  const [start, checkpoint] = lines.map(parseEntry);
  // The checkpoint covers the start's line as it is.
  if (
    start?.action !== "server.started" ||
    start.chain.seq !== 1 ||
    checkpoint?.action !== "audit.checkpoint" ||
    firstBroken(writer, lines) !== -1 ||
    !isSigned(checkpoint, { strict: false })
  ) {
    return null;
  }
  const { heads } = start.metadata;
  return {
    key: String(checkpoint.metadata["publicKey"]),
    at: timeOfLine(lines[0] ?? ""),
    heads: Array.isArray(heads) ? heads : [],
  };
}

/** What an entry of the retention names as the last deleted entries. */
export function reportedHeads(entry: ParsedEntry): readonly unknown[] {
  const { writers } = entry.metadata;
  return entry.action === "retention.purged" && Array.isArray(writers)
    ? writers
    : [];
}

/** Whether a value out of an entry is this head. */
export function isHead(head: ChainHead): (value: unknown) => boolean {
  return (value) => {
    const { writer, seq, hash } = (value ?? {}) as Partial<ChainHead>;
    return writer === head.writer && seq === head.seq && hash === head.hash;
  };
}

function changed(line = ""): Proof {
  return { verdict: "changed", seq: placeOfLine(line).seq };
}
