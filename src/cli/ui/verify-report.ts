import { asciiJson } from "../../json/ascii.ts";
import type {
  TrailReport,
  WriterReport,
} from "../../audit/verify/trail-report.ts";
import type { ChainFault } from "../../audit/verify/chain-fault.ts";
import { shown, TERMINAL_WIDTH, wrapText } from "./terminal-text.ts";
import { EXIT, type ExitCode } from "../../errors.ts";

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
  const unsigned = writers.filter(
    ({ lastSeq, anchoredTo, fault }) =>
      lastSeq > 0 && anchoredTo === 0 && fault === null,
  );
  const strange = keysOf(writers).filter(
    (key) => knownKeys.length > 0 && !knownKeys.includes(key),
  );
  const doubts = [
    ...(entries === 0 ? ["there is no entry"] : []),
    ...(unsigned.length === 0
      ? []
      : [
          `nothing that ${count(unsigned.length, "writer", "writers")} wrote is signed: ${shown(unsigned[0]?.writer)}${unsigned.length > 1 ? ", …" : ""}`,
        ]),
    ...untold.map(
      ({ writer, seq }) =>
        `${shown(writer)}:${seq} is not in these lines any more, or lies too far back`,
    ),
    ...writers.flatMap(({ writer, untold: isUntold }) =>
      isUntold
        ? [
            `entries of ${shown(writer)} come again too far behind the first time to be compared: verify each stream by itself`,
          ]
        : [],
    ),
    ...strange.map(
      (key) =>
        `checkpoints are signed with another key than the one that is set here; if it was yours, give both with --public-key: ${key}`,
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
  const { writers, entries, skipped, torn, absent } = report;
  if (options.json) {
    const { verdict: word, doubts, keysKnown } = verdict;
    console.log(asciiJson({ verdict: word, doubts, keysKnown, ...report }));
    return;
  }
  for (const fault of verdict.faults) {
    tell(faultLine(fault));
  }
  for (const doubt of verdict.doubts) {
    tell(`cannot be told: ${doubt}`);
  }
  const present = writers.filter(({ lastSeq }) => lastSeq > 0);
  if (verdict.verdict === "intact") {
    tell(
      `intact: ${count(entries, "entry", "entries")} by ${count(present.length, "writer", "writers")}`,
    );
  }
  for (const writer of present.slice(-MAX_TOLD)) {
    tell(writerLine(writer));
  }
  if (isLoose(present)) {
    tell(
      "  (what is not signed yet can be changed or dropped by whoever can write there)",
    );
  }
  if (present.length > MAX_TOLD) {
    tell(earlierLine(present.slice(0, -MAX_TOLD)));
  }
  if (absent.length > 0) {
    const { writer, seq } = absent.at(-1) ?? {};
    tell(
      `${count(absent.length, "writer that is", "writers that are")} named here ${absent.length === 1 ? "is" : "are"} not in these lines, the newest ${shown(writer)} up to seq ${seq}: what ${absent.length === 1 ? "it" : "they"} wrote must be in earlier ones`,
    );
  }
  if (skipped > 0) {
    tell(`${count(skipped, "other line was", "other lines were")} skipped`);
  }
  if (torn > 0) {
    tell(
      `${count(torn, "line breaks", "lines break")} off, as a process does that is killed while it writes`,
    );
  }
  showKeysAndHeads(writers, verdict);
}

/** Long ids and keys stay whole, so that they can be copied. */
function tell(sentence: string): void {
  for (const line of wrapText(sentence, TERMINAL_WIDTH)) {
    console.log(line);
  }
}

/** What a fault may come of that is nobody's tampering. */
const HINTS: Partial<Record<ChainFault["what"], string>> = {
  missing: "give the lines before these first, or --partial",
  reordered: "give older files first",
};

export function faultLine(fault: ChainFault): string {
  const { writer, seq, what, from, line } = fault;
  if (line !== undefined) {
    return `TAMPERED: line ${line} was an entry, and nothing can be told of its place`;
  }
  const hint = seq === 1 ? HINTS[what] : undefined;
  const more =
    hint !== undefined
      ? ` (${hint})`
      : from === undefined || from === seq
        ? ""
        : ` (something from seq ${from} on was changed)`;
  return `TAMPERED: writer ${shown(writer)}, seq ${seq}: ${what}${more}`;
}

function writerLine(report: WriterReport): string {
  const { writer, firstSeq, lastSeq, anchoredTo, fault } = report;
  const anchor =
    anchoredTo === 0
      ? "not anchored by a checkpoint"
      : anchoredTo >= lastSeq
        ? "anchored to the end"
        : fault !== null
          ? `anchored up to seq ${anchoredTo}`
          : `anchored up to ${anchoredTo}, ${anchoredTo + 1} to ${lastSeq} not signed yet`;
  return `  ${shown(writer)}  seq ${firstSeq} to ${lastSeq}, ${anchor}`;
}

function isLoose(writers: readonly WriterReport[]): boolean {
  return writers.some(
    ({ anchoredTo, lastSeq, fault }) => fault === null && anchoredTo < lastSeq,
  );
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
