// npm run bench: compares how many requests Hexhook and other receivers accept, in one run on one machine.
// Without options it runs the quick set, in about 7 minutes. docs/performance.md explains the measurements.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { LOAD_CORE } from "./children.mjs";
import { canPin, requireLinux } from "./machine.mjs";
import { createMeasure, FOREIGN_CPU_LIMIT } from "./measure.mjs";
import { buildNative } from "./native.mjs";
import {
  describeRun,
  failuresOf,
  mergeRuns,
  printReport,
  reportLine,
  writeDocs,
} from "./report.mjs";
import { createRequests } from "./requests.mjs";
import { SCENARIOS, serversOf } from "./scenarios.mjs";
import { createServers, installRivals } from "./servers.mjs";
import { createStores } from "./stores.mjs";
import { median } from "./statistics.mjs";

const USAGE = `usage: npm run bench -- [options]
  --list             print the names of the scenarios, and measure nothing
  --all              every scenario (about an hour; needs 5 GB in the temporary directory)
  --only NAME,...    these scenarios, with all their servers (the quick set has fewer servers)
  --seconds N        length of each measurement (2)
  --rounds N         rounds of each scenario (3)
  --memory-seconds N length of the scenario \`memory\` (600)
  --retries N        repeat a measurement that other processes disturbed (1)
  --cli PATH         dist/cli.js of another build
  --json FILE        write all results
  --from FILE,...    report the results of earlier --json files, and measure nothing;
                     if several files have a scenario, the last file counts
  --write-docs       write the tables and the chart of docs/performance.md (quick set, --all or --from)
  --help             print this text

Without --all, --only or --from it runs the quick set. Some scenarios have a fixed number of rounds:
--rounds and --retries do not apply to them (docs/performance.md lists them).
Set TMPDIR to a directory on the disk to measure. On tmpfs, fsync costs nothing.
The exit code is 1 if a measurement failed.`;

const OPTIONS = {
  all: { type: "boolean", default: false },
  only: { type: "string" },
  list: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
  seconds: { type: "string", default: "2" },
  rounds: { type: "string", default: "3" },
  retries: { type: "string", default: "1" },
  "memory-seconds": { type: "string", default: "600" },
  cli: {
    type: "string",
    default: path.join(import.meta.dirname, "../dist/cli.js"),
  },
  json: { type: "string" },
  from: { type: "string" },
  "write-docs": { type: "boolean", default: false },
};

function parse() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    throw new Error(`${error.message}\n\n${USAGE}`, { cause: error });
  }
}

/** Throws unless the quick set was measured. Otherwise docs/performance.md would lose figures. */
function requireQuickSet(names) {
  const missing = Object.keys(SCENARIOS).filter(
    (name) => SCENARIOS[name].quick && !names.includes(name),
  );
  if (missing.length > 0) {
    throw new Error(
      `--write-docs needs the quick set or --all (missing: ${missing.join(", ")})`,
    );
  }
}

function readOptions(values) {
  const names = Object.keys(SCENARIOS);
  const chosen = values.only?.split(",");
  const unknown = chosen?.filter((name) => !names.includes(name)) ?? [];
  if (unknown.length > 0) {
    throw new Error(
      `unknown scenario: ${unknown.join(", ")}; npm run bench -- --list shows all scenarios`,
    );
  }
  const number = (name, least = 0.1) => {
    const value = Number(values[name]);
    if (!(value >= least)) {
      throw new Error(
        `--${name} must be a number, ${least} or more: ${values[name]}`,
      );
    }
    return value;
  };
  if (values.from !== undefined && (chosen !== undefined || values.all)) {
    throw new Error("--from measures nothing; leave out --only and --all");
  }
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
    from: values.from?.split(","),
    writeDocs: values["write-docs"],
  };
}

/** Creates the objects that all scenarios share. `results` collects the results by scenario and variant. */
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

  async function withServer(name, serverOptions, use) {
    const opened = await servers[name].open(serverOptions);
    const server = { ...servers[name], ...opened };
    try {
      return await use(server);
    } finally {
      await server.stop();
    }
  }

  const present = (names) =>
    names.filter((name) => servers[name].missing === undefined);

  /** Returns the maximum rate that Hexhook accepts, from the scenario `keep-alive` or measured now. */
  async function peak() {
    const runs = results["keep-alive"]?.variants.hexhook?.runs ?? [
      await withServer("hexhook", {}, (server) => measure.measure(server)),
    ];
    return median(runs.map(({ perSecond }) => perSecond));
  }

  const context = {
    ...{ measure, servers, stores, folder, cli, results, figures },
    memorySeconds,
    ...{ record, withServer, present, peak },
  };

  async function runVariant(key, variant) {
    const { server, suffix, serverOptions, load, prepare } = variant;
    const { label } = servers[server];
    const once = async () => {
      const prepared = await prepare?.(context);
      const options = { ...serverOptions, ...prepared?.serverOptions };
      try {
        return await withServer(server, options, (opened) =>
          measure.measure(opened, load),
        );
      } finally {
        await prepared?.close?.();
      }
    };
    let result = await once();
    for (
      let i = 0;
      i < retries && result.foreignCpuShare > FOREIGN_CPU_LIMIT;
      i += 1
    ) {
      const repeated = await once();
      result =
        repeated.foreignCpuShare < result.foreignCpuShare ? repeated : result;
    }
    record(key, suffix === undefined ? label : `${label}, ${suffix}`, result);
  }

  async function runScenario(name) {
    const scenario = SCENARIOS[name];
    current = name;
    results[name] = { title: scenario.title, variants: {}, failures: [] };
    console.log(`\n${name}: ${scenario.title}`);
    const guarded = async (step, work) => {
      try {
        await work();
      } catch (error) {
        const failure =
          step === undefined ? error.message : `${step}: ${error.message}`;
        results[name].failures.push(failure);
        console.log(`  not measured: ${failure}`);
      }
    };
    if (scenario.run !== undefined) {
      await guarded(undefined, () => scenario.run(context));
      return;
    }
    const chosen = present(serversOf(scenario, isQuick));
    const wanted = Object.entries(scenario.variants).filter(([, { server }]) =>
      chosen.includes(server),
    );
    for (let round = 1; round <= rounds; round += 1) {
      for (const [key, variant] of wanted) {
        await guarded(key, () => runVariant(key, variant));
      }
    }
    await guarded("after the rounds", () => scenario.after?.(context));
  }

  return { ...context, runScenario };
}

function printList() {
  for (const [name, { title, quick }] of Object.entries(SCENARIOS)) {
    const note = quick ? "" : " (not in the quick set)";
    console.log(`${name.padEnd(24)} ${title}${note}`);
  }
}

/** Measures the chosen scenarios. */
async function measureAll(options) {
  const folder = mkdtempSync(path.join(tmpdir(), "hexhook-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  if (canPin) {
    // The benchmark itself runs on the core of the load.
    spawnSync("taskset", ["-acp", String(LOAD_CORE), String(process.pid)]);
  } else {
    console.log("servers are not pinned: this needs taskset and two cores");
  }
  const context = createContext(options, folder);
  const chosen = Object.entries(context.servers)
    .filter(([name]) =>
      options.names.some((scenario) =>
        serversOf(SCENARIOS[scenario], options.isQuick).includes(name),
      ),
    )
    .map(([, server]) => server);
  for (const { label, missing } of chosen) {
    if (missing !== undefined) {
      console.log(`${label} is not installed and not measured: ${missing}`);
    }
  }
  if (chosen.some((s) => s.usesPackages && s.missing === undefined)) {
    installRivals();
  }
  for (const name of options.names) {
    await context.runScenario(name);
  }
  return describeRun(context, options);
}

async function main() {
  const values = parse();
  if (values.help) {
    console.log(USAGE);
    return;
  }
  if (values.list) {
    printList();
    return;
  }
  const options = readOptions(values);
  if (options.writeDocs && options.from === undefined) {
    requireQuickSet(options.names);
  }
  let run;
  if (options.from === undefined) {
    requireLinux("npm run bench");
    run = await measureAll(options);
  } else {
    run = mergeRuns(options.from);
    if (options.writeDocs) {
      requireQuickSet(Object.keys(run.results));
    }
  }
  printReport(run, { allGoals: options.writeDocs });
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify(run, null, 2)}\n`);
  }
  if (options.writeDocs) {
    writeDocs(run);
  }
  if (failuresOf(run).length > 0) {
    process.exitCode = 1;
  }
}

main().then(
  () => process.exit(),
  (error) => {
    console.error(`bench: ${error.message}`);
    process.exit(1);
  },
);
