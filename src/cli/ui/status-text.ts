import type { DestinationReport } from "../../status/destination-report.ts";
import type { SecretReport, SourceReport } from "../../status/source-report.ts";
import type {
  ProcessReport,
  SinkReport,
  StatusReport,
} from "../../status/status-report.ts";
import { type Cell, table } from "../../terminal/table.ts";
import {
  shown,
  shownDuration,
  shownTime,
  wrapText,
} from "../../terminal/terminal-text.ts";
import { countText, destinationState } from "./destination-text.ts";

interface Style {
  readonly width: number;
  readonly colours: boolean;
}

const NONE = "-";

/** Formats the status for a person, as lines of at most `width` columns. */
export function statusText(status: StatusReport, style: Style): string[] {
  const { at, destinations, sources, sinks } = status;
  return [
    `Status at ${shownTime(at)}`,
    "",
    ...processes(status, style),
    "",
    ...wrapText(requests(status), style.width),
    ...wrapText(deliveries(status), style.width),
    ...section(destinations, (all) => destinationTable(all, at, style)),
    ...section(sources, (all) => sourceTable(all, at, style)),
    ...section(sinks, (all) => sinkTable(all, at, style)),
  ];
}

function section<T>(
  all: readonly T[],
  lines: (all: readonly T[]) => string[],
): string[] {
  return all.length === 0 ? [] : ["", ...lines(all)];
}

function processes({ processes: all, at }: StatusReport, style: Style) {
  if (all.length === 0) {
    return ["No service has published its state in this store yet."];
  }
  return table(
    [
      { title: "PROCESS" },
      { title: "STATE" },
      { title: "STARTED" },
      { title: "VERSION" },
    ],
    all.map((one) => [
      shown(one.writer),
      processState(one, at),
      one.startedAt === null ? NONE : shownTime(one.startedAt),
      one.version === null ? NONE : shown(one.version),
    ]),
    style,
  );
}

function processState(
  { readiness, publishedAt }: ProcessReport,
  at: number,
): Cell {
  const ago = `${shownDuration(at - publishedAt)} ago`;
  switch (readiness) {
    case "ready":
      return good("ready");
    case "draining":
      return warning("draining");
    case "unavailable":
      return bad("unavailable");
    case "stopped":
      return bad(`stopped ${ago}`);
    case "unknown":
      return bad(`unknown, seen ${ago}`);
  }
}

function requests({ lastMinute }: StatusReport): string {
  if (lastMinute === null) {
    return "Last minute: unknown";
  }
  const { accepted, repeated, rejected } = lastMinute;
  return `Last minute: ${accepted} accepted, ${repeated} repeated, ${rejected} rejected`;
}

function deliveries(status: StatusReport): string {
  const { pending, oldestPendingSince, exhausted, at } = status;
  const oldest =
    oldestPendingSince === null
      ? ""
      : `, the oldest for ${shownDuration(at - oldestPendingSince)}`;
  return `Deliveries: ${pending} pending${oldest}; ${countText(exhausted)} exhausted`;
}

function destinationTable(
  all: readonly DestinationReport[],
  at: number,
  style: Style,
): string[] {
  return table(
    [
      { title: "DESTINATION" },
      { title: "STATE" },
      { title: "PENDING", align: "right" },
      { title: "OLDEST", align: "right" },
      { title: "EXHAUSTED", align: "right" },
    ],
    all.map((one) => {
      const { text, isBlocked } = destinationState(one, at);
      const since = one.oldestPendingSince;
      return [
        shown(one.name),
        isBlocked ? bad(text) : text,
        String(one.pending),
        since === null ? NONE : shownDuration(at - since),
        one.exhausted === 0 ? "0" : bad(countText(one.exhausted)),
      ];
    }),
    style,
  );
}

/** Returns one row for each secret, and one for a source without secrets. */
function sourceTable(
  all: readonly SourceReport[],
  at: number,
  style: Style,
): string[] {
  const used = (lastUsedAt: number | null): string =>
    lastUsedAt === null ? "never" : `${shownDuration(at - lastUsedAt)} ago`;
  return table(
    [
      { title: "SOURCE" },
      { title: "SCHEME" },
      { title: "SECRET" },
      { title: "AGE" },
      { title: "LAST USED" },
    ],
    all.flatMap((source) => {
      const { name, scheme, isDisabled, secrets, lastUsedAt } = source;
      const head = [
        `${shown(name)}${isDisabled ? " (disabled)" : ""}`,
        shown(scheme),
      ];
      return secrets.length === 0
        ? [[...head, NONE, NONE, used(lastUsedAt)]]
        : secrets.map((secret): Cell[] => [
            ...head,
            shown(secret.keyId),
            ageOf(secret, at),
            used(secret.lastUsedAt),
          ]);
    }),
    style,
  );
}

function ageOf(secret: SecretReport, at: number): Cell {
  const { role, age, ageDays, expiresAt, isExpired } = secret;
  if (role === "previous") {
    if (isExpired) {
      return warning("expired");
    }
    return expiresAt === null
      ? warning("previous, never expires")
      : `previous, ${shownDuration(expiresAt - at)} left`;
  }
  const days = `${ageDays ?? 0} days`;
  switch (age) {
    case null:
      return "public key";
    case "unknown":
      return bad("no date");
    case "overdue":
      return bad(`${days}, overdue`);
    case "due":
      return warning(`${days}, due`);
    case "fresh":
      return days;
  }
}

function sinkTable(
  all: readonly SinkReport[],
  at: number,
  style: Style,
): string[] {
  return table(
    [{ title: "SINK" }, { title: "STATE" }, { title: "LAG", align: "right" }],
    all.map(({ name, lag, degradedSince }) => [
      shown(name),
      degradedSince !== null
        ? bad(`degraded for ${shownDuration(at - degradedSince)}`)
        : lag === null
          ? "unknown"
          : "ok",
      lag === null ? NONE : String(lag),
    ]),
    style,
  );
}

const good = (text: string): Cell => ({ text, colour: "green" });
const warning = (text: string): Cell => ({ text, colour: "yellow" });
const bad = (text: string): Cell => ({ text, colour: "red" });
