// Writes the reports of a run: lines while it runs, tables at its end, JSON, and the tables and the chart of the docs.
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import path from "node:path";
import { chartOf } from "./chart.mjs";
import { goalCells, goalsOf, isMeasured } from "./goals.mjs";
import { canPin } from "./machine.mjs";
import { FOREIGN_CPU_LIMIT } from "./measure.mjs";
import { SCENARIOS } from "./scenarios.mjs";
import { spreadOf } from "./statistics.mjs";

const DOCS = path.join(import.meta.dirname, "../docs");
/** Version of the JSON format. */
const FORMAT = 2;
/** Members that must be equal in all merged files, because a table must not mix figures of different machines. */
const SAME_IN_ALL_PARTS = ["node", "cpu", "cores", "pinned"];

const SCRIPTS_RUN_ONCE = "Some scenarios have only one round";

const ms = (value) => (value < 10 ? value.toFixed(1) : value.toFixed(0));
const count = (value) => Math.round(value).toLocaleString("en");

/** The line of one measurement, printed while the benchmark runs. */
export function reportLine(label, result) {
  const parts = [];
  const add = (value, text) => value !== undefined && parts.push(text(value));
  add(result.readyMs, (v) => `ready after ${ms(v)} ms`);
  add(result.perSecond, (v) => `${count(v).padStart(7)}/s`);
  add(result.settledPerSecond, (v) => `settled ${count(v)}/s`);
  add(result.forgedPerSecond, (v) => `forged ${count(v)}/s`);
  add(result.p99, (v) => `p99 ${ms(v)} ms`);
  add(result.livez, (v) => `/livez p99 ${ms(v.p99)} max ${ms(v.max)} ms`);
  add(
    result.cpuTotal,
    (v) => `CPU ${v.toFixed(0)} µs (main ${result.cpuMain.toFixed(0)})`,
  );
  add(result.memoryMax, (v) => `max ${v.toFixed(0)} MB`);
  add(
    result.diskBytes,
    (v) =>
      `${count(v)} bytes in the store, ${count(result.trailBytes)} in the trail, ${count(result.writtenBytes)} written`,
  );
  add(result.purged, (v) => `${count(v)} purged`);
  add(result.listing, ({ all, filtered }) => {
    const seconds = all.seconds + filtered.seconds;
    return `${count(all.seen)} listed, ${seconds.toFixed(1)} s`;
  });
  for (const warning of warningsOf(result)) {
    parts.push(`(${warning})`);
  }
  return `  ${label.padEnd(36)} ${parts.join("  ")}`;
}

function warningsOf(result) {
  const { statuses = {}, errors = 0, firstError, unanswered = 0 } = result;
  const others = Object.entries(statuses).filter(([code]) => code !== "200");
  return [
    result.wasLimit &&
      (result.ranOut
        ? "too few requests prepared"
        : "the load generator was the limit"),
    result.behind && "below the requested rate",
    others.length > 0 &&
      others.map(([code, number]) => `${number} × ${code}`).join(", "),
    errors > 0 && `${errors} errors: ${firstError}`,
    unanswered > 0 && `${unanswered} without a response`,
    result.foreignCpuShare > FOREIGN_CPU_LIMIT &&
      `other processes used ${Math.round(result.foreignCpuShare * 100)}% of the core`,
  ].filter((text) => typeof text === "string");
}

/** All facts about a run, as the JSON file has them. */
export function describeRun({ results, figures }, { seconds, rounds }) {
  const at = new Date().toISOString();
  return {
    format: FORMAT,
    node: process.version,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    kernel: release(),
    pinned: canPin,
    parts: [{ at, seconds, rounds }],
    figures,
    goals: goalsOf({ results, figures }),
    results,
  };
}

function readRun(file) {
  let run;
  try {
    run = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(`cannot read ${file}: ${error.message}`, { cause: error });
  }
  if (run?.format !== FORMAT) {
    throw new Error(
      `${file} was not written by --json of this version; measure again`,
    );
  }
  return run;
}

/** Merges JSON files of one machine into one run. If several files have a scenario, the last one counts. */
export function mergeRuns(files) {
  const runs = files.map(readRun);
  const [first] = runs;
  runs.forEach((run, index) => {
    const other = SAME_IN_ALL_PARTS.find((name) => run[name] !== first[name]);
    if (other !== undefined) {
      throw new Error(
        `${files[0]} and ${files[index]} come from different machines or versions of Node (${other}: ${first[other]}, ${run[other]})`,
      );
    }
  });
  const measured = Object.assign({}, ...runs.map(({ results }) => results));
  // The order of the scenarios, not of the files.
  const results = Object.fromEntries(
    Object.keys(SCENARIOS)
      .filter((name) => Object.hasOwn(measured, name))
      .map((name) => [name, measured[name]]),
  );
  const figures = Object.assign({}, ...runs.map((run) => run.figures));
  return {
    ...first,
    parts: runs.flatMap(({ parts }) => parts),
    figures,
    goals: goalsOf({ results, figures }),
    results,
  };
}

const COLUMNS = {
  "requests/s": { field: "perSecond", format: count },
  "÷ Hexhook": { ratio: true },
  "p50 ms": { field: "p50", format: ms },
  "p99 ms": { field: "p99", format: ms },
  "CPU µs": { field: "cpuTotal", format: count },
  "CPU µs, main thread": { field: "cpuMain", format: count },
  "settled/s": { field: "settledPerSecond", format: count },
  "forged/s": { field: "forgedPerSecond", format: count },
  "/livez p99 ms": { field: "livez.p99", format: ms },
  "ready ms": { field: "readyMs", format: count },
  MB: { field: "memoryMb", format: count },
  "bytes in the store": { field: "diskBytes", format: count },
  "bytes in the trail": { field: "trailBytes", format: count },
  "bytes written": { field: "writtenBytes", format: count },
  "max MB": { field: "memoryMax", format: count },
};

const withSpread = ({ median, min, max }, format) =>
  min === max
    ? format(median)
    : `${format(median)} (${format(min)}–${format(max)})`;

/** Returns the rows of a scenario: a heading, then a row for each variant. Columns without any value are left out. */
function rowsOf({ variants }) {
  const list = Object.values(variants);
  const hexhook = spreadOf(variants.hexhook?.runs ?? [], "perSecond");
  const columns = Object.entries(COLUMNS).filter(([, { field, ratio }]) =>
    ratio
      ? hexhook !== null && list.length > 1
      : list.some(({ runs }) => spreadOf(runs, field) !== null),
  );
  const cell = (runs, { field, format, ratio }) => {
    const spread = spreadOf(runs, ratio ? "perSecond" : field);
    if (spread === null) {
      return "";
    }
    return ratio
      ? (spread.median / hexhook.median).toFixed(2)
      : withSpread(spread, format);
  };
  const heading = ["", ...columns.map(([name]) => name)];
  return [
    heading,
    ...list.map(({ label, runs }) => [
      label,
      ...columns.map(([, column]) => cell(runs, column)),
    ]),
  ];
}

function aligned(rows) {
  const widths = rows[0].map((_, column) =>
    Math.max(...rows.map((row) => row[column].length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0
            ? cell.padEnd(widths[column])
            : cell.padStart(widths[column]),
        )
        .join("  "),
    )
    .join("\n");
}

const goalRows = (goals) => [
  ["figure", "goal", "measured", "reached"],
  ...goals.map(goalCells),
];

/** How a run was measured, in sentences. */
function settingOf({ node, cores, pinned, parts, results }) {
  const valuesOf = (field) =>
    [...new Set(parts.map((part) => part[field]))]
      .toSorted((a, b) => a - b)
      .join(" or ");
  const rounds = valuesOf("rounds");
  const hasScripts = Object.keys(results).some(
    (name) => SCENARIOS[name].run !== undefined,
  );
  const inParts = parts.length > 1 ? `, from ${parts.length} runs` : "";
  return [
    rounds === "1"
      ? `One round of ${valuesOf("seconds")} s${inParts}.`
      : `Medians of ${rounds} rounds of ${valuesOf("seconds")} s (smallest–largest)${inParts}.`,
    hasScripts && `${SCRIPTS_RUN_ONCE}.`,
    `1 KiB bodies, Node ${node.slice(1)}, ${cores} cores.`,
    pinned
      ? "The server has one core, the load generator another."
      : "No process is pinned to a core.",
  ]
    .filter((text) => text !== false)
    .join(" ");
}

/** Returns the failures of a run, one line each. */
export const failuresOf = ({ results }) =>
  Object.entries(results).flatMap(([scenario, { failures }]) =>
    [...new Set(failures.map((failure) => failure.split("\n")[0]))].map(
      (failure) => `${scenario}: ${failure}`,
    ),
  );

/** A heading and its lines, or nothing if there are no lines. */
const block = (heading, lines) =>
  lines.length === 0
    ? ""
    : `\n${heading}:\n${lines.map((line) => `  ${line}`).join("\n")}`;

function unreliable({ results }) {
  return Object.entries(results).flatMap(([scenario, { variants }]) =>
    Object.values(variants).flatMap(({ label, runs }) => {
      const found = new Set(runs.flatMap(warningsOf));
      return found.size === 0
        ? []
        : [`${scenario}: ${label}: ${[...found].join("; ")}`];
    }),
  );
}

/** `allGoals`: also print the goals that were not measured. */
export function printReport(run, { allGoals }) {
  console.log(`\n${settingOf(run)}`);
  for (const [name, result] of Object.entries(run.results)) {
    if (Object.keys(result.variants).length > 0) {
      console.log(`\n${name}: ${result.title}\n${aligned(rowsOf(result))}`);
    }
  }
  const goals = allGoals ? run.goals : run.goals.filter(isMeasured);
  if (goals.length > 0) {
    console.log(`\n${aligned(goalRows(goals))}`);
  }
  for (const text of [
    block("unreliable", unreliable(run)),
    block("failed", failuresOf(run)),
  ]) {
    if (text !== "") {
      console.log(text);
    }
  }
}

/** Returns a Markdown table in the format of prettier. */
function markdown(rows) {
  const widths = rows[0].map((_, column) =>
    Math.max(3, ...rows.map((row) => row[column].length)),
  );
  const line = (cells) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  const [heading, ...body] = rows;
  const rule = widths.map((width) => "-".repeat(width));
  return [line(heading), line(rule), ...body.map(line)].join("\n");
}

/** Replaces the text between the two markers of a name. */
function replaced(text, name, content) {
  const [start, end] = [`<!-- ${name}: start -->`, `<!-- ${name}: end -->`];
  const from = text.indexOf(start);
  const to = text.indexOf(end);
  if (from === -1 || to < from) {
    throw new Error(`docs/performance.md has no markers ${start} and ${end}`);
  }
  return `${text.slice(0, from + start.length)}\n\n${content}\n\n${text.slice(to)}`;
}

/** A warning beside the figures, if other processes disturbed the run or a measurement failed. */
function caveats(run) {
  const { results } = run;
  const runs = Object.values(results)
    .flatMap(({ variants }) => Object.values(variants))
    .flatMap(({ runs }) => runs)
    .filter(({ foreignCpuShare }) => foreignCpuShare !== undefined);
  const noisy = runs.filter(
    ({ foreignCpuShare }) => foreignCpuShare > FOREIGN_CPU_LIMIT,
  );
  const failures = failuresOf(run);
  return [
    noisy.length > 0 &&
      ` **Unreliable:** in ${noisy.length} of ${runs.length} measurements other processes used the server's core.`,
    failures.length > 0 && ` **Failed:** ${failures.join("; ")}.`,
  ]
    .filter((text) => text !== false)
    .join("");
}

export function writeDocs(run) {
  const file = path.join(DOCS, "performance.md");
  const tables = Object.values(run.results)
    .filter(({ variants }) => Object.keys(variants).length > 0)
    .map((result) => `**${result.title}**\n\n${markdown(rowsOf(result))}`);
  const setting = `${settingOf(run)}${caveats(run)}`;
  let text = readFileSync(file, "utf8");
  text = replaced(
    text,
    "goals",
    `${setting}\n\n${markdown(goalRows(run.goals))}`,
  );
  text = replaced(text, "tables", tables.join("\n\n"));
  writeFileSync(file, text);
  writeFileSync(path.join(DOCS, "performance.svg"), chartOf(run));
  console.log("\nwrote docs/performance.md and docs/performance.svg");
}
