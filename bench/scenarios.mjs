// The scenarios of the benchmark. A scenario has either variants or a script.
// Variants take turns in several rounds. A variant has a `server` with `serverOptions`, the options of its `load`, and a
// function `prepare` that runs before the server starts.
// A script (`run`) runs once and ignores --rounds and --retries. `servers` are the servers it starts; default: Hexhook.
// `quick`: the scenario is in the quick set. `quickServers`: its servers in the quick set; default: all.
import { incidents, STORED_EVENTS } from "./incidents.mjs";
import { memory } from "./memory.mjs";
import { postgres } from "./postgres.mjs";
import { size } from "./size.mjs";
import {
  nextMessage,
  LOAD_CORE,
  SERVER_CORE,
  run,
  start,
  stop,
} from "./children.mjs";
import path from "node:path";

const LARGE_BODY = 262_144;
const RIVALS = [
  "bare",
  "hexhook",
  "octokit",
  "express",
  "standardwebhooks",
  "redis",
  "webhook",
];

const each = (servers, variant) =>
  Object.fromEntries(
    servers.map((server) => [server, { server, ...variant(server) }]),
  );

const NOOP_HANDLERS = 'export default { "*": () => undefined };\n';

/** Starts an HTTP destination as a separate process on the core of the load. Returns the configuration that uses it. */
async function withDestination() {
  const child = start(
    LOAD_CORE,
    [process.execPath, path.join(import.meta.dirname, "destination.mjs")],
    { stdio: ["ignore", "ignore", "inherit", "ipc"] },
  );
  const { port } = await nextMessage(child, "the destination");
  const config = `sources: { hex: { destinations: [there] } }
destinations: { there: { url: "http://127.0.0.1:${port}/", concurrency: 32 } }
`;
  return { serverOptions: { config }, close: () => stop(child) };
}

/** Sends genuine deliveries at a fixed rate, first alone, then together with forged ones at full speed from another address. */
async function forged(context) {
  const { record, servers, measure } = context;
  const genuine = { rate: 1000, connections: 16 };
  const flood = { forged: true, connections: 48, address: "127.0.0.2" };
  for (const name of context.present(RIVALS)) {
    await context.withServer(name, {}, async (server) => {
      const { label } = servers[name];
      record(
        `${name}, alone`,
        `${label}, genuine alone`,
        await measure.measure(server, genuine),
      );
      await measure.load(server, { ...flood, seconds: 1 });
      const [beside, forgery] = await Promise.all([
        measure.measure(server, { ...genuine, warmUp: false }),
        measure.load(server, flood),
      ]);
      record(`${name}, beside`, `${label}, beside forged`, {
        ...beside,
        forgedPerSecond: forgery.perSecond,
      });
    });
  }
}

export const SCENARIOS = {
  "keep-alive": {
    title: "64 keep-alive connections",
    quick: true,
    variants: each(RIVALS, () => ({})),
  },
  "keep-alive-16": {
    title: "16 keep-alive connections",
    variants: each(RIVALS, () => ({ load: { connections: 16 } })),
  },
  "keep-alive-256": {
    title: "256 keep-alive connections",
    variants: each(RIVALS, () => ({ load: { connections: 256 } })),
  },
  "new-connections": {
    title: "a new connection for each request, 64 at once",
    variants: each(RIVALS, () => ({ load: { newConnections: true } })),
  },
  "new-connections-fsync-5": {
    title: "a new connection for each request, 64 at once, fsync + 5 ms",
    quick: true,
    quickServers: ["bare", "hexhook", "redis"],
    variants: each(RIVALS, () => ({
      serverOptions: { fsyncMs: 5 },
      load: { newConnections: true },
    })),
  },
  fsync: {
    title: "slow disk: 256 keep-alive connections",
    quick: true,
    quickServers: ["hexhook"],
    variants: Object.fromEntries(
      ["hexhook", "redis"].flatMap((server) =>
        [0, 5, 20].map((ms) => [
          `${server}-${ms}`,
          {
            server,
            suffix: `fsync + ${ms} ms`,
            serverOptions: { fsyncMs: ms },
            load: { connections: 256, livez: server === "hexhook" },
          },
        ]),
      ),
    ),
  },
  "all-cores": {
    title: "64 keep-alive connections, the server on all cores",
    quick: true,
    variants: each(["hexhook", "octokit"], () => ({
      serverOptions: { anyCore: true },
    })),
  },
  handler: {
    title: "each event is delivered to a no-op handler",
    quick: true,
    variants: {
      without: { server: "hexhook", suffix: "without handlers" },
      handler: {
        server: "hexhook",
        suffix: "with a handler",
        serverOptions: { handlers: NOOP_HANDLERS },
        load: { settle: true },
      },
    },
  },
  destination: {
    title: "each event is delivered to an HTTP destination",
    variants: {
      destination: {
        server: "hexhook",
        suffix: "with an HTTP destination",
        prepare: withDestination,
        load: { settle: true },
      },
    },
  },
  forged: {
    title: "1,000 genuine requests a second beside forged ones",
    servers: RIVALS,
    run: forged,
  },
  large: {
    title: "bodies of 256 KiB",
    quick: true,
    quickServers: ["bare", "hexhook"],
    variants: each(RIVALS, () => ({ load: { bodyBytes: LARGE_BODY } })),
    async after({ figures }) {
      const command = path.join(import.meta.dirname, "hmac-speed.mjs");
      figures.hmacMbPerSecond = Number(
        await run(SERVER_CORE, [process.execPath, command]),
      );
    },
  },
  latency: {
    title: "latency at a tenth, half and nine tenths of the peak",
    quick: true,
    async run(context) {
      const peak = await context.peak();
      for (const share of [0.1, 0.5, 0.9]) {
        await context.withServer("hexhook", {}, async (server) => {
          const result = await context.measure.measure(server, {
            rate: peak * share,
          });
          context.record(
            String(share),
            `Hexhook, ${share} of the peak`,
            result,
          );
        });
      }
    },
  },
  "slow-disk": {
    title: "100 requests a second, fsync + 20 ms",
    quick: true,
    variants: {
      hexhook: {
        server: "hexhook",
        serverOptions: { fsyncMs: 20 },
        load: { rate: 100, livez: true },
      },
    },
  },
  size,
  ...incidents,
  stored: {
    title: "5,000,000 stored events",
    variants: {
      none: { server: "hexhook", suffix: "no stored events" },
      stored: {
        server: "hexhook",
        suffix: "5,000,000 stored events",
        async prepare({ stores }) {
          const database = await stores.filled(STORED_EVENTS);
          return { serverOptions: { database } };
        },
      },
    },
  },
  postgres,
  memory,
};

/** Returns the names of the servers that a scenario starts. */
export function serversOf(scenario, isQuick) {
  if (scenario.run !== undefined) {
    return scenario.servers ?? ["hexhook"];
  }
  const all = Object.values(scenario.variants).map(({ server }) => server);
  return [...new Set(all)].filter(
    (server) => !isQuick || (scenario.quickServers?.includes(server) ?? true),
  );
}
