import { type ChainHead, GENESIS, hashLine, splitHash } from "./chain.ts";
import { isSigned } from "./checkpoint.ts";
import { hasAction, timeOfLine } from "./entry.ts";
import { isExactLine, parseEntry, type ParsedEntry } from "./parsed-entry.ts";
import { placeOfLine, type StoredEntry } from "./stored-entry.ts";

/*
 * Proves that old entries are unchanged, before the retention deletes them and signs an entry about it. Otherwise an attacker
 * who can write the store, but has no signing key, could backdate recent entries, or delete entries and have the retention
 * sign that it deleted them.
 */

/** What a proof reads from the store. Each list has lines of one writer, in order. None of them is proven yet. */
export interface TrailLookup {
  /** The `server.started` entry of a writer and its first checkpoint, as far as they are stored. */
  readonly startLines: (writer: string) => readonly string[];
  /** The last checkpoint of a writer and the entries after it. */
  readonly endLines: (writer: string) => readonly string[];
  /** The last entry of a writer, from the table of heads. */
  readonly head: (writer: string) => ChainHead | undefined;
  /** The writers that started after this one, oldest first. The list has at least as many writers as one start can name. */
  readonly writersAfter: (writer: string) => readonly string[];
  /** The entry about the last deletion from this writer, and the entries that follow it in its own chain. */
  readonly reportLines: (writer: string) => readonly string[];
}

/**
 * The result of a proof. `incomplete`: the entries contain no point up to which they could be deleted. `unproven`: not
 * proven yet. `changed`: the entry with this number, or one after it, was changed after it was written.
 */
export type Proof =
  | {
      readonly verdict: "proven";
      /** How many of the entries may be deleted, counted from the first. */
      readonly count: number;
      /** How many of them a signature covers. */
      readonly signed: number;
    }
  | { readonly verdict: "incomplete" | "unproven" }
  | { readonly verdict: "changed"; readonly seq: number };

const UNPROVEN = { verdict: "unproven" } as const;
const INCOMPLETE = { verdict: "incomplete" } as const;

/** The state of a checkpoint's signature. `timed`: the time is signed too. `unproven`: the key is not known. */
type Signature = "timed" | "signed" | "unproven" | "changed" | "none";

/** A `server.started` entry that a signed checkpoint covers. It names the last entries of the writers before it. */
interface SignedStart {
  readonly key: string;
  readonly at: number;
  readonly heads: readonly unknown[];
}

/** The last entry of a writer at this time (unix milliseconds). A signature with the current key proves it. */
interface ConfirmedHead {
  readonly head: ChainHead;
  readonly at: number;
}

/**
 * Creates the proof for one step of the retention. `ownKey`: the public key of this process's checkpoints. Entries before
 * `before` (unix milliseconds) are old.
 */
export function createRetentionProof(
  lookup: TrailLookup,
  { ownKey, before }: { ownKey: string; before: number },
): (entries: readonly StoredEntry[], hasEnded: boolean) => Proof {
  const starts = new Map<string, SignedStart | null>();
  const confirmations = new Map<string, ConfirmedHead | null>();

  /**
   * Proves entries of one writer. A signed checkpoint covers all entries before it, with their times. All entries of an ended
   * writer may be deleted if the last one is a checkpoint with a signed time, or if an old start names the last one.
   * Otherwise the entries before the last signed checkpoint may be deleted.
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
    const isNamed = (): boolean => oldConfirmed(writer)?.head.hash === hash;
    if (hasEnded && (endsSigned || isNamed())) {
      return { verdict: "proven", count: entries.length, signed };
    }
    if (signed > 0) {
      return { verdict: "proven", count: signed, signed };
    }
    // The last entries of a writer stay until an old start names them. This takes longer if they are signed with an earlier
    // key.
    return signature === "unproven" ? UNPROVEN : INCOMPLETE;
  }

  /** Proves that the first stored entry has seq 1, or that a signed entry names the entry before it as deleted. */
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

  /** Whether a writer may have signed with this key: the current key, or that of its confirmed last checkpoint. */
  function isKnownKey(key: string, writer: string): boolean {
    if (key === ownKey) {
      return true;
    }
    const confirmation = oldConfirmed(writer);
    return confirmation !== null && lastKey(confirmation.head) === key;
  }

  /** Returns the confirmed head if the start that names it is old. The head was written before, so it is old too. */
  function oldConfirmed(writer: string): ConfirmedHead | null {
    const confirmation = confirmed(writer);
    return confirmation !== null && confirmation.at < before
      ? confirmation
      : null;
  }

  function confirmed(writer: string): ConfirmedHead | null {
    const cached = confirmations.get(writer);
    if (cached !== undefined) {
      return cached;
    }
    const found = findConfirmation(writer);
    confirmations.set(writer, found);
    return found;
  }

  function findConfirmation(writer: string): ConfirmedHead | null {
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
    // A start that is signed with an earlier key counts if the current key confirms the writer of that start.
    for (const { by, key } of earlier.reverse()) {
      const further = confirmed(by);
      if (further !== null && lastKey(further.head) === key) {
        return { head, at: further.at };
      }
    }
    return null;
  }

  /** Returns the key of the writer's last checkpoint, if an intact chain leads from it to this head. */
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
    const cached = starts.get(writer);
    if (cached !== undefined) {
      return cached;
    }
    const found = readStart(writer, lookup.startLines(writer));
    starts.set(writer, found);
    return found;
  }

  return prove;
}

/** Returns the index of the first entry with a wrong hash, or that does not follow the entry before it; -1 = none. */
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
  // The checkpoint signs the hash of the start, so the start's line is exactly what was written.
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

/** Returns the last deleted entries that a `retention.purged` entry names. */
export function reportedHeads(entry: ParsedEntry): readonly unknown[] {
  const { writers } = entry.metadata;
  return entry.action === "retention.purged" && Array.isArray(writers)
    ? writers
    : [];
}

/** Returns a function that tests whether a value from an entry is this head. */
export function isHead(head: ChainHead): (value: unknown) => boolean {
  return (value) => {
    const { writer, seq, hash } = (value ?? {}) as Partial<ChainHead>;
    return writer === head.writer && seq === head.seq && hash === head.hash;
  };
}

function changed(line = ""): Proof {
  return { verdict: "changed", seq: placeOfLine(line).seq };
}
