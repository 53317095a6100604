import { asciiJson } from "../../json/ascii.ts";
import type {
  TrailReport,
  WriterReport,
} from "../../audit/verify/trail-report.ts";
import type { Fault, FaultCode } from "../../audit/verify/fault.ts";
import { shown, wrapText } from "../../terminal/terminal-text.ts";
import { displayOf } from "../../terminal/display.ts";
import { EXIT, type ExitCode } from "../../errors.ts";
import { type Io, type Output, writeLine } from "../io.ts";

/** Maximum length of each list: faults, doubts, writers and heads. The newest writers and heads are listed. */
const MAX_LISTED = 10;

export interface Verdict {
  readonly exit: ExitCode;
  readonly verdict: "intact" | "tampered" | "undecidable";
  readonly faults: readonly Fault[];
  /** The reasons why the trail is undecidable, one sentence each. */
  readonly doubts: readonly string[];
  /** Whether the keys of the trail were compared with known keys. */
  readonly keysKnown: boolean;
}

/** Returns the verdict on a report. `knownKeys`: the keys that checkpoints may be signed with; empty = no key is known. */
export function judge(
  report: TrailReport,
  knownKeys: readonly string[],
): Verdict {
  const faults = [
    ...report.writers.flatMap(({ fault }) => fault ?? []),
    ...report.eventFaults,
  ];
  const doubts = doubtsOf(report, knownKeys);
  const verdict =
    faults.length > 0
      ? "tampered"
      : doubts.length > 0
        ? "undecidable"
        : "intact";
  return {
    exit: EXIT_OF[verdict],
    verdict,
    faults,
    doubts,
    keysKnown: knownKeys.length > 0,
  };
}

const EXIT_OF: Readonly<Record<Verdict["verdict"], ExitCode>> = {
  intact: EXIT.good,
  tampered: EXIT.checkFailed,
  undecidable: EXIT.undecidable,
};

function doubtsOf(
  { writers, entries, unknownHeads, hasDroppedStatements }: TrailReport,
  knownKeys: readonly string[],
): string[] {
  const unsigned = writers.filter(
    ({ lastSeq, anchoredTo, fault }) =>
      lastSeq > 0 && anchoredTo === 0 && fault === null,
  );
  const otherKeys = keysOf(writers).filter(
    (key) => knownKeys.length > 0 && !knownKeys.includes(key),
  );
  return [
    ...(entries === 0 ? ["the trail has no entry"] : []),
    ...(unsigned.length === 0
      ? []
      : [
          `no entry of ${count(unsigned.length, "writer", "writers")} is signed: ${shown(unsigned[0]?.writer)}${unsigned.length > 1 ? ", …" : ""}`,
        ]),
    ...writers
      .filter(({ beginsLate, fault }) => beginsLate && fault === null)
      .map(
        ({ writer, firstSeq }) =>
          `these lines begin in the middle of ${shown(writer)} and are complete from seq ${firstSeq}; give the earlier lines first`,
      ),
    ...(hasDroppedStatements
      ? ["too many unsigned entries name other writers or deleted entries"]
      : []),
    ...unknownHeads.map(
      ({ writer, seq }) =>
        `the head ${shown(writer)}:${seq} cannot be compared: its entry is not in these lines, or too far back`,
    ),
    ...writers
      .filter(({ uncompared }) => uncompared > 0)
      .map(
        ({ writer, uncompared }) =>
          `${count(uncompared, "repeated entry", "repeated entries")} of ${shown(writer)} came too late to be compared; verify each stream separately`,
      ),
    ...otherKeys.map(
      (key) =>
        `checkpoints are signed with another key than the one configured here; if it was yours before, give both with --public-key: ${key}`,
    ),
  ];
}

export function showReport(
  { stdout, env }: Io,
  report: TrailReport,
  verdict: Verdict,
  options: { json: boolean },
): void {
  const { writers, entries, skipped, torn, absent, anchors } = report;
  if (options.json) {
    const { verdict: word, doubts, keysKnown } = verdict;
    writeLine(
      stdout,
      asciiJson({ verdict: word, doubts, keysKnown, ...report }),
    );
    return;
  }
  const present = writers.filter(({ lastSeq }) => lastSeq > 0);
  const repeats = writers.reduce((sum, writer) => sum + writer.repeats, 0);
  const lines = [
    ...listed(verdict.faults, faultLine, "faults"),
    ...listed(verdict.doubts, (doubt) => `undecidable: ${doubt}`, "doubts"),
    ...(verdict.verdict === "intact"
      ? [
          `intact: ${count(entries, "entry", "entries")} by ${count(present.length, "writer", "writers")}`,
        ]
      : []),
    ...writerLines(present),
    ...absentLines(absent),
    ...(anchors.given === 0
      ? []
      : [
          `${anchors.found} of ${count(anchors.given, "anchor", "anchors")} found in the trail`,
        ]),
    ...(repeats > 0
      ? [`${count(repeats, "repeated entry", "repeated entries")}, identical`]
      : []),
    ...(skipped > 0
      ? [`${count(skipped, "other line was", "other lines were")} skipped`]
      : []),
    ...(torn > 0
      ? [
          `${count(torn, "line breaks", "lines break")} off, as after a process was killed during a write`,
        ]
      : []),
  ];
  const width = displayOf(stdout, env).width();
  for (const sentence of lines) {
    // Long ids and keys are not wrapped, so that they can be copied.
    for (const line of wrapText(sentence, width)) {
      writeLine(stdout, line);
    }
  }
  showKeysAndHeads(stdout, writers, verdict);
}

function listed<T>(
  all: readonly T[],
  text: (one: T) => string,
  what: string,
): string[] {
  const more = all.length - MAX_LISTED;
  return [
    ...all.slice(0, MAX_LISTED).map(text),
    ...(more > 0 ? [`and ${more} more ${what} (--json lists all)`] : []),
  ];
}

/** The text of each fault. It follows the writer, the seq and the event. */
const TEXTS: Readonly<Record<FaultCode, string>> = {
  edited: "edited",
  missing: "missing",
  reordered: "reordered",
  inserted: "inserted",
  unlinked: "does not follow the entry before it; one of the two was changed",
  signature_mismatch: "re-hashed but not re-signed",
  head_mismatch:
    "is not the entry that a head, an anchor or a later start names",
  unsigned: "not signed",
  foreign_key: "signed with another key",
  cut_off: "cut off",
  writer_gone: "all entries of this writer are missing",
  unknown_writer: "the store has no head for this writer",
  unreadable: "unreadable",
  event_missing: "the event was accepted, but is no longer stored",
  event_without_entry:
    "the event is stored, but no entry says that it was accepted",
  body_changed: "the stored body is not the one that was accepted",
};

export function faultLine(fault: Fault): string {
  const { writer, seq, code, from, line, event } = fault;
  if (line !== undefined) {
    return `TAMPERED: line ${line} is a changed entry whose writer or seq cannot be read`;
  }
  const place = seq > 0 ? `writer ${shown(writer)}, seq ${seq}: ` : "";
  const about = event === undefined ? "" : `event ${shown(event)}: `;
  const hint =
    code === "reordered" && seq === 1
      ? " (give older files first)"
      : from === undefined || from === seq
        ? ""
        : ` (an entry from seq ${from} on was changed)`;
  return `TAMPERED: ${place}${about}${TEXTS[code]}${hint}`;
}

function writerLines(present: readonly WriterReport[]): string[] {
  const newest = present.slice(-MAX_LISTED);
  const earlier = present.slice(0, -MAX_LISTED);
  const unproven = present.filter(isUnproven);
  return [
    ...newest.map(writerLine),
    ...(unproven.length === 0
      ? []
      : [
          "  (unproven: no --head, no anchor and no later writer confirms these entries, so entries after the signed ones could have been cut off or replaced)",
        ]),
    ...(earlier.length === 0 ? [] : [earlierLine(earlier)]),
  ];
}

function isUnproven(report: WriterReport): boolean {
  return report.fault === null && report.confirmedTo < report.lastSeq;
}

function writerLine(report: WriterReport): string {
  const { writer, firstSeq, lastSeq, anchoredTo, confirmedTo } = report;
  const signed =
    anchoredTo === 0
      ? "not anchored by a checkpoint"
      : anchoredTo >= lastSeq
        ? "anchored to the end"
        : `anchored up to ${anchoredTo}`;
  const first = Math.max(firstSeq, confirmedTo + 1);
  const unproven = isUnproven(report)
    ? `, unproven: ${first} to ${lastSeq}`
    : "";
  return `  ${shown(writer)}  seq ${firstSeq} to ${lastSeq}, ${signed}${unproven}`;
}

function earlierLine(earlier: readonly WriterReport[]): string {
  const notToTheEnd = earlier.filter(
    ({ anchoredTo, lastSeq }) => anchoredTo < lastSeq,
  );
  const unproven = earlier.filter(isUnproven);
  const facts = [
    notToTheEnd.length === 0
      ? "all anchored to the end"
      : `${notToTheEnd.length} not anchored to the end`,
    ...(unproven.length === 0
      ? []
      : [`${unproven.length} with unproven entries`]),
  ].join(", ");
  const hint =
    notToTheEnd.length + unproven.length > 0 ? " (--json lists all)" : "";
  return `  and ${count(earlier.length, "earlier writer", "earlier writers")}, ${facts}${hint}`;
}

function absentLines(absent: TrailReport["absent"]): string[] {
  const newest = absent.at(-1);
  if (newest === undefined) {
    return [];
  }
  const { writer, seq } = newest;
  return [
    absent.length === 1
      ? `1 writer named here, ${shown(writer)} up to seq ${seq}, is not in these lines: its entries must be in earlier lines`
      : `${absent.length} writers named here are not in these lines, the newest ${shown(writer)} up to seq ${seq}: their entries must be in earlier lines`,
  ];
}

function showKeysAndHeads(
  stdout: Output,
  writers: readonly WriterReport[],
  { verdict, keysKnown }: Verdict,
): void {
  for (const key of keysOf(writers)) {
    writeLine(stdout, `signed with the key ${key}`);
  }
  if (!keysKnown && verdict === "intact") {
    writeLine(
      stdout,
      "  (the trail itself names this key: compare it with yours by --public-key)",
    );
  }
  const unproven = writers.filter(isUnproven);
  const kept = unproven.length > 0 ? unproven : writers.slice(-1);
  if (verdict === "intact") {
    writeLine(stdout, "keep on another machine, and give later with --head:");
    for (const { writer, lastSeq, lastHash } of kept.slice(-MAX_LISTED)) {
      writeLine(stdout, `  ${shown(writer)}:${lastSeq}:${lastHash}`);
    }
  }
}

function keysOf(writers: readonly WriterReport[]): string[] {
  return [...new Set(writers.flatMap(({ publicKey }) => publicKey ?? []))];
}

function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}
