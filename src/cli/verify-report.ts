import { type TrailReport, type WriterReport } from "../audit/verify.ts";
import { type ChainFault } from "../audit/writer-chain.ts";
import { EXIT, type ExitCode } from "../errors.ts";
import { shown } from "../core/terminal-text.ts";

/** So many writers are named one by one, the newest. */
const MAX_WRITERS = 10;

export interface Verdict {
  readonly exit: ExitCode;
  readonly verdict: "intact" | "tampered" | "cannot be told";
  readonly faults: readonly ChainFault[];
  /** What keeps it from being told, one line each. */
  readonly doubts: readonly string[];
}

/** What a report amounts to. `expectedKey`: the key that signs here, where that is known. */
export function judge(
  report: TrailReport,
  known: { expectedKey: string | null; publicKeys: readonly string[] },
): Verdict {
  const { writers, entries, untold } = report;
  const faults = writers.flatMap(({ fault }) => fault ?? []);
  const strange =
    known.expectedKey === null || known.publicKeys.length > 0
      ? []
      : keysOf(writers).filter((key) => key !== known.expectedKey);
  const doubts = [
    ...(entries === 0 ? ["there is no entry"] : []),
    ...untold.map(
      ({ writer, seq }) =>
        `of ${shown(writer)}:${seq} nothing can be told: that entry is not there any more, or lies too far back`,
    ),
    ...strange.map(
      (key) =>
        `checkpoints are signed with ${key}, which is not the key that signs now: if it was yours before, give both with --public-key`,
    ),
  ];
  if (faults.length > 0) {
    return { exit: EXIT.checkFailed, verdict: "tampered", faults, doubts };
  }
  return doubts.length > 0
    ? { exit: EXIT.cannotTell, verdict: "cannot be told", faults, doubts }
    : { exit: EXIT.good, verdict: "intact", faults, doubts };
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
  for (const writer of writers.slice(-MAX_WRITERS)) {
    console.log(writerLine(writer));
  }
  if (writers.length > MAX_WRITERS) {
    console.log(earlierLine(writers.slice(0, -MAX_WRITERS)));
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
  showKeysAndHead(writers, verdict);
}

function faultLine({ writer, seq, what, from }: ChainFault): string {
  const range =
    from === undefined || from === seq
      ? ""
      : ` (something from seq ${from} on was changed)`;
  return `TAMPERED: writer ${shown(writer)}, seq ${seq}: ${what}${range}`;
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

function showKeysAndHead(
  writers: readonly WriterReport[],
  { verdict }: Verdict,
): void {
  for (const key of keysOf(writers)) {
    console.log(`signed with the key ${key}`);
  }
  const last = writers.at(-1);
  if (verdict === "intact" && last !== undefined) {
    const { writer, lastSeq, lastHash } = last;
    console.log(
      `keep this head elsewhere, for --head: ${shown(writer)}:${lastSeq}:${lastHash}`,
    );
  }
}

function keysOf(writers: readonly WriterReport[]): string[] {
  return [...new Set(writers.flatMap(({ publicKey }) => publicKey ?? []))];
}

function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}
