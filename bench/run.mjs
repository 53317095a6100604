// npm run bench: what Hexhook accepts durably, beside other receivers, in one run on one machine.
// Without options: the quick set, about 7 minutes. docs/performance.md says what is measured and how.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { LOAD_CORE } from "./children.mjs";
import { canPin } from "./machine.mjs";
import { createMeasure, STOLEN_LIMIT } from "./measure.mjs";
import { buildNative } from "./native.mjs";
import { describeRun, printReport, reportLine, writeDocs } from "./report.mjs";
import { createRequests } from "./requests.mjs";
import { SCENARIOS } from "./scenarios.mjs";
import { createServers, installRivals } from "./servers.mjs";
import { createStores } from "./stores.mjs";
import { median } from "./statistics.mjs";

const USAGE = `usage: npm run bench -- [options]
  --all              every scenario (about an hour; needs 5 GB in the temporary folder)
  --only NAME,...    some scenarios; --list prints their names
  --seconds N        length of each measurement (2)
  --rounds N         rounds of each scenario (3)
  --memory-seconds N length of the scenario \`memory\` (600)
  --retries N        repeat a measurement that other processes disturbed (1)
  --cli PATH         dist/cli.js of another build
  --json FILE        write all results
  --write-docs       write the tables and the chart of docs/performance.md`;

const OPTIONS = {
  all: { type: "boolean", default: false },
  only: { type: "string" },
  list: { type: "boolean", default: false },
  seconds: { type: "string", default: "2" },
  rounds: { type: "string", default: "3" },
  retries: { type: "string", default: "1" },
  "memory-seconds": { type: "string", default: "600" },
  cli: {
    type: "string",
    default: path.join(import.meta.dirname, "../dist/cli.js"),
  },
  json: { type: "string" },
  "write-docs": { type: "boolean", default: false },
};

function readOptions() {
  const { values } = parseArgs({ options: OPTIONS });
  const names = Object.keys(SCENARIOS);
  const chosen = values.only?.split(",");
  const unknown = chosen?.filter((name) => !names.includes(name)) ?? [];
  if (unknown.length > 0) {
    throw new Error(
      `no such scenario: ${unknown.join(", ")} (npm run bench -- --list)`,
    );
  }
  const number = (name, least = 0.1) => {
    const value = Number(values[name]);
    if (!(value >= least)) {
      throw new Error(
        `--${name} is not a number of at least ${least}: ${values[name]}`,
      );
    }
    return value;
  };
  const isQuick = chosen === undefined && !values.all;
  return {
    names:
      chosen ?? (isQuick ? names.filter((n) => SCENARIOS[n].quick) : names),
    isQuick,
    seconds: number("seconds"),
    rounds: number("rounds", 1),
    memorySeconds: number("memory-seconds", 20),
    retries: number("retries", 0),
    cli: path.resolve(values.cli),
    json: values.json,
    writeDocs: values["write-docs"],
  };
}

/** What scenarios share. Results are collected by scenario and variant, in `results`. */
function createContext(options, folder) {
  const { seconds, rounds, retries, memorySeconds, cli, isQuick } = options;
  const native = buildNative(folder);
  const requests = createRequests(folder);
  const measure = createMeasure({ native, requests, seconds });
  const servers = createServers({ folder, native, cli });
  const stores = createStores({ folder, cli });
  const results = {};
  const figures = {};
  let current;

  function record(key, label, result) {
    const variants = results[current].variants;
    (variants[key] ??= { label, runs: [] }).runs.push(result);
    console.log(reportLine(label, result));
  }

  async function withServer(name, open, use) {
    const server = { ...servers[name], ...(await servers[name].open(open)) };
    try {
      return await use(server);
    } finally {
      await server.stop();
    }
  }

  const present = (names) =>
    names.filter((name) => servers[name].missing === undefined);

  /** What Hexhook accepts at most, by the scenario `kept` or measured now. */
  async function peak() {
    const runs = results.kept?.variants.hexhook?.runs ?? [
      await withServer("hexhook", {}, (server) => measure.measure(server)),
    ];
    return median(runs.map(({ perSecond }) => perSecond));
  }

  const context = {
    ...{ measure, servers, stores, folder, results, figures, memorySeconds },
    ...{ record, withServer, present, peak },
  };

  async function runVariant(key, variant) {
    const { server, suffix, open, load, around } = variant;
    const { label } = servers[server];
    const once = async () => {
      const more = await around?.(context);
      try {
        return await withServer(server, { ...open, ...more?.open }, (opened) =>
          measure.measure(opened, load),
        );
      } finally {
        await more?.close?.();
      }
    };
    let result = await once();
    for (let i = 0; i < retries && result.stolen > STOLEN_LIMIT; i += 1) {
      const again = await once();
      result = again.stolen < result.stolen ? again : result;
    }
    record(key, suffix === undefined ? label : `${label}, ${suffix}`, result);
  }

  async function runScenario(name) {
    const scenario = SCENARIOS[name];
    current = name;
    results[name] = { title: scenario.title, variants: {}, failures: [] };
    console.log(`\n${name}: ${scenario.title}`);
    const guarded = async (what, work) => {
      try {
        await work();
      } catch (error) {
        results[name].failures.push(`${what}: ${error.message}`);
        console.log(`  not measured: ${what}: ${error.message}`);
      }
    };
    if (scenario.run !== undefined) {
      await guarded(name, () => scenario.run(context));
      return;
    }
    const wanted = Object.entries(scenario.variants).filter(
      ([, { server }]) =>
        servers[server].missing === undefined &&
        (!isQuick || (scenario.quickServers?.includes(server) ?? true)),
    );
    for (let round = 1; round <= rounds; round += 1) {
      for (const [key, variant] of wanted) {
        await guarded(key, () => runVariant(key, variant));
      }
    }
    await scenario.after?.(context);
  }

  return { ...context, runScenario };
}

async function main() {
  if (process.argv.includes("--help")) {
    console.log(USAGE);
    return;
  }
  const options = readOptions();
  if (process.argv.includes("--list")) {
    for (const [name, { title, quick }] of Object.entries(SCENARIOS)) {
      console.log(`${name.padEnd(24)} ${title}${quick ? "" : " (--all)"}`);
    }
    return;
  }
  const folder = mkdtempSync(path.join(tmpdir(), "hexhook-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  if (canPin) {
    // The benchmark itself works on the load's core.
    spawnSync("taskset", ["-acp", String(LOAD_CORE), String(process.pid)]);
  } else {
    console.log("servers are not pinned: that needs taskset and two cores");
  }
  const context = createContext(options, folder);
  installRivals();
  const missing = Object.values(context.servers).filter((s) => s.missing);
  for (const { label, missing: remedy } of missing) {
    console.log(`${label} is not measured: ${remedy}`);
  }
  for (const name of options.names) {
    await context.runScenario(name);
  }
  const run = describeRun(context, options);
  printReport(run);
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify(run, null, 2)}\n`);
  }
  if (options.writeDocs) {
    writeDocs(run);
  }
}

main().then(
  () => process.exit(),
  (error) => {
    console.error(`bench: ${error.message}`);
    process.exit(1);
  },
);
