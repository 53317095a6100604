import { type TrailReport, type WriterReport } from "../audit/trail-report.ts";
import { type ChainFault } from "../audit/writer-chain.ts";
import { EXIT, type ExitCode } from "../errors.ts";
import { shown } from "../core/terminal-text.ts";

/** So many writers are told of one by one, and so many heads: the newest. */
const MAX_TOLD = 10;

export interface Verdict {
  readonly exit: ExitCode;
  readonly verdict: "intact" | "tampered" | "cannot be told";
  readonly faults: readonly ChainFault[];
  /** What keeps it from being told, one line each. */
  readonly doubts: readonly string[];
  /** Whether the keys were held against known ones. */
  readonly keysKnown: boolean;
}

/** What a report amounts to. `knownKeys`: those that checkpoints may be signed with; none = nothing is known of them. */
export function judge(
  report: TrailReport,
  knownKeys: readonly string[],
): Verdict {
  const { writers, entries, untold } = report;
  const faults = writers.flatMap(({ fault }) => fault ?? []);
  const strange = keysOf(writers).filter(
    (key) => knownKeys.length > 0 && !knownKeys.includes(key),
  );
  const unsigned = writers.filter(
    ({ entries: count, anchoredTo }) => count > 0 && anchoredTo === 0,
  );
  const present = writers.filter(({ entries: count }) => count > 0).length;
  const doubts = [
    ...(entries === 0 ? ["there is no entry"] : []),
    // A known key vouches for nothing that it has not signed.
    ...(unsigned.length === 0 ||
    (knownKeys.length === 0 && unsigned.length < present)
      ? []
      : [
          `nothing that ${count(unsigned.length, "writer", "writers")} wrote is signed: ${shown(unsigned[0]?.writer)}${unsigned.length > 1 ? ", …" : ""}`,
        ]),
    ...untold.map(
      ({ writer, seq }) =>
        `${shown(writer)}:${seq} is not there any more, or lies too far back`,
    ),
    ...strange.map(
      (key) =>
        `checkpoints are signed with another key than the one that is set\n  here. If it was yours, give both with --public-key:\n  ${key}`,
    ),
  ];
  const keysKnown = knownKeys.length > 0;
  if (faults.length > 0) {
    const exit = EXIT.checkFailed;
    return { exit, verdict: "tampered", faults, doubts, keysKnown };
  }
  return doubts.length > 0
    ? {
        exit: EXIT.cannotTell,
        verdict: "cannot be told",
        faults,
        doubts,
        keysKnown,
      }
    : { exit: EXIT.good, verdict: "intact", faults, doubts, keysKnown };
}

export function showReport(
  report: TrailReport,
  verdict: Verdict,
  options: { json: boolean },
): void {
  const { writers, entries, skipped, torn } = report;
  if (options.json) {
    const { verdict: word, doubts } = verdict;
    console.log(JSON.stringify({ verdict: word, doubts, ...report }));
    return;
  }
  for (const fault of verdict.faults) {
    console.log(faultLine(fault));
  }
  for (const doubt of verdict.doubts) {
    console.log(`cannot be told: ${doubt}`);
  }
  if (verdict.verdict === "intact") {
    console.log(
      `intact: ${count(entries, "entry", "entries")} by ${count(writers.length, "writer", "writers")}`,
    );
  }
  const present = writers.filter(({ lastSeq }) => lastSeq > 0);
  for (const writer of present.slice(-MAX_TOLD)) {
    console.log(writerLine(writer));
  }
  if (present.length > MAX_TOLD) {
    console.log(earlierLine(present.slice(0, -MAX_TOLD)));
  }
  if (skipped > 0) {
    console.log(
      `${count(skipped, "other line was", "other lines were")} skipped`,
    );
  }
  if (torn > 0) {
    console.log(
      `${count(torn, "line breaks", "lines break")} off, as a process does that is killed while it writes`,
    );
  }
  showKeysAndHeads(writers, verdict);
}

export function faultLine({ writer, seq, what, from }: ChainFault): string {
  const more =
    what === "missing" && seq === 1
      ? " (give the lines before these first, or --partial)"
      : from === undefined || from === seq
        ? ""
        : ` (something from seq ${from} on was changed)`;
  return `TAMPERED: writer ${shown(writer)}, seq ${seq}: ${what}${more}`;
}

function writerLine(report: WriterReport): string {
  const { writer, firstSeq, lastSeq, anchoredTo } = report;
  const loose = lastSeq - anchoredTo;
  const anchor =
    anchoredTo === 0
      ? "not anchored by a checkpoint"
      : loose === 0
        ? "anchored to the end"
        : `anchored up to seq ${anchoredTo}, the last ${loose} not yet`;
  return `  ${shown(writer)}  seq ${firstSeq} to ${lastSeq}, ${anchor}`;
}

function earlierLine(earlier: readonly WriterReport[]): string {
  const loose = earlier.filter(
    ({ anchoredTo, lastSeq }) => anchoredTo < lastSeq,
  );
  const ends =
    loose.length === 0
      ? "all anchored to the end"
      : `${loose.length} not anchored to the end (--json tells which)`;
  return `  and ${count(earlier.length, "earlier writer", "earlier writers")}, ${ends}`;
}

function showKeysAndHeads(
  writers: readonly WriterReport[],
  { verdict, keysKnown }: Verdict,
): void {
  for (const key of keysOf(writers)) {
    console.log(`signed with the key ${key}`);
  }
  if (!keysKnown && verdict === "intact") {
    console.log(
      "  which the trail itself names: hold it against yours with --public-key",
    );
  }
  // What has ended is named by those that came after it; what goes on could lose its end.
  const open = writers.filter(({ ended }) => !ended);
  const kept = open.length > 0 ? open : writers.slice(-1);
  if (verdict === "intact") {
    console.log("keep elsewhere, to give with --head:");
    for (const { writer, lastSeq, lastHash } of kept.slice(-MAX_TOLD)) {
      console.log(`  ${shown(writer)}:${lastSeq}:${lastHash}`);
    }
  }
}

function keysOf(writers: readonly WriterReport[]): string[] {
  return [...new Set(writers.flatMap(({ publicKey }) => publicKey ?? []))];
}

function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}
