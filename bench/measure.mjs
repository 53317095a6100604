// Makes one measurement: load on a server for some seconds, with the CPU time of its threads and the latency of /livez.
import { setTimeout as sleep } from "node:timers/promises";
import { LOAD_CORE, run, SERVER_CORE } from "./children.mjs";
import { busyMsOf, countCpu, memoryOf } from "./cpu.mjs";
import { ADMIN_TOKEN } from "./servers.mjs";

const WARM_UP_SECONDS = 1;
/** Number of requests after which the code of a server counts as compiled. Before that, it is warmed up again. */
const WARM_UP_REQUESTS = 10_000;
const MAX_WARM_UPS = 4;
/** Share of the server's core that other processes may use. With more, a measurement is unreliable. */
export const FOREIGN_CPU_LIMIT = 0.1;
const PROBES_PER_SECOND = 20;
const SETTLED_POLL_MS = 20;
/** More than any server accepts, so that enough requests are prepared. */
const MAX_NEW_CONNECTIONS_PER_SECOND = 15_000;
/** More bytes a second than any server here accepts. Limits the size of request files for large bodies. */
const MAX_BYTES_PER_SECOND = 600e6;

/** Returns the result of loads that ran at once: sums of their counts, and the largest of their latencies. */
function mergeLoads(loads) {
  const sum = (field) => loads.reduce((total, one) => total + one[field], 0);
  const max = (field) => Math.max(...loads.map((one) => one[field]));
  const statuses = {};
  for (const [code, number] of loads.flatMap((one) =>
    Object.entries(one.statuses),
  )) {
    statuses[code] = (statuses[code] ?? 0) + number;
  }
  return {
    ...loads[0],
    statuses,
    ...Object.fromEntries(
      ["perSecond", "answers", "sent", "errors", "unanswered"].map((field) => [
        field,
        sum(field),
      ]),
    ),
    ...Object.fromEntries(["p50", "p90", "p99", "max"].map((f) => [f, max(f)])),
    firstError: loads.find(({ errors }) => errors > 0)?.firstError,
    wasLimit: loads.some(({ wasLimit }) => wasLimit),
    ranOut: loads.some(({ ranOut }) => ranOut),
    behind: loads.some(({ behind }) => behind),
  };
}

export function createMeasure({ native, requests, seconds }) {
  async function runLoad(args, onStart) {
    const command = [native.load, ...args.map(String)];
    return JSON.parse(await run(LOAD_CORE, command, { onStart }));
  }

  /** Requests /livez on a separate connection, 20 times a second, until stopped. Latency counts from the due time. */
  function probe(server) {
    const file = requests.getOf("/livez");
    let child;
    const ended = runLoad(
      [file, server.port, 1, 3600, `rate=${PROBES_PER_SECOND}`, "repeat"],
      (started) => {
        child = started;
      },
    );
    return async () => {
      child.kill("SIGTERM");
      const { p50, p99, max, answers } = await ended;
      return { p50, p99, max, answers };
    };
  }

  /**
   * Runs the load. `options`: connections, seconds, rate, newConnections, bodyBytes, forged, address. Replicas get equal
   * shares of it.
   */
  async function load(server, options = {}) {
    if (server.replicas === undefined) {
      return loadOne(server, options);
    }
    const count = server.replicas.length;
    const { connections = 64, rate } = options;
    const share = {
      ...options,
      connections: Math.ceil(connections / count),
      ...(rate === undefined ? {} : { rate: rate / count }),
    };
    return mergeLoads(
      await Promise.all(
        server.replicas.map((replica) => loadOne(replica, share)),
      ),
    );
  }

  async function loadOne(server, options) {
    const { connections = 64, newConnections = false, rate } = options;
    const { bodyBytes = 1024, forged = false } = options;
    const duration = options.seconds ?? seconds;
    const maxPerSecond = Math.min(
      server.maxPerSecond,
      newConnections ? MAX_NEW_CONNECTIONS_PER_SECOND : Infinity,
      MAX_BYTES_PER_SECOND / bodyBytes,
    );
    const perSecond = (rate ?? maxPerSecond) * 1.02;
    const prepared = requests.take(server, {
      scheme: server.scheme,
      bodyBytes,
      forged,
      shard: server.shard,
      count: Math.ceil(perSecond * duration) + 2,
      room: Math.ceil(perSecond * (seconds + WARM_UP_SECONDS)) + 2,
    });
    const result = await runLoad([
      prepared.file,
      server.port,
      connections,
      duration,
      ...(newConnections ? ["new-connections", "addresses=8"] : []),
      ...(rate === undefined ? [] : [`rate=${rate}`]),
      ...(options.address === undefined ? [] : [`address=${options.address}`]),
      `skip=${prepared.skip}`,
    ]);
    prepared.sent(result.sent);
    return result;
  }

  /** Warms a server up, as fast as possible, even if the measurement has a rate. */
  async function warmUp(server, options) {
    const { bodyBytes, newConnections, connections } = options;
    const times = bodyBytes === undefined ? MAX_WARM_UPS : 1;
    let answers = 0;
    for (let i = 0; i < times && answers < WARM_UP_REQUESTS; i += 1) {
      const seconds = WARM_UP_SECONDS;
      const warmUpOptions = { bodyBytes, newConnections, connections };
      answers += (await load(server, { ...warmUpOptions, seconds })).answers;
    }
  }

  /** Waits until no delivery of the service is pending or in flight. */
  async function settled(server) {
    for (;;) {
      const response = await fetch(
        `http://127.0.0.1:${server.adminPort}/api/destinations`,
        { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } },
      );
      const { destinations } = await response.json();
      if (destinations.every((to) => to.pending + to.inFlight === 0)) {
        return;
      }
      await sleep(SETTLED_POLL_MS);
    }
  }

  /**
   * Runs the load and measures CPU time and memory. `warmUp: false`: without a warm-up. `livez`: also measures the latency
   * of /livez. `settle`: waits until all deliveries have ended, and includes this time in their rate.
   */
  async function measure(server, options = {}) {
    if (options.warmUp !== false) {
      await warmUp(server, options);
      if (options.settle) {
        await settled(server);
      }
    }
    const endProbe = options.livez ? probe(server) : undefined;
    const endCpu = countCpu(server.pids);
    const busyBefore = busyMsOf(SERVER_CORE);
    const startedAt = performance.now();
    let result, elapsedMs, cpu, busyMs, livez;
    try {
      result = await load(server, options);
      if (options.settle) {
        await settled(server);
      }
      elapsedMs = performance.now() - startedAt;
      cpu = endCpu();
      busyMs = busyMsOf(SERVER_CORE) - busyBefore;
    } finally {
      livez = await endProbe?.();
    }
    const { 200: ok = 0, ...others } = result.statuses;
    const perRequest = (us) => us / Math.max(1, result.answers);
    return {
      ...result,
      ok,
      bad: Object.keys(others).length > 0 || result.errors > 0,
      cpuMain: perRequest(cpu.main),
      cpuTotal: perRequest(cpu.total),
      cpuThreads: Object.fromEntries(
        Object.entries(cpu.threads).map(([name, us]) => [name, perRequest(us)]),
      ),
      // The share of the server's core that other processes used.
      foreignCpuShare: server.sharesCores
        ? 0
        : Math.max(0, busyMs - cpu.total / 1000) / elapsedMs,
      memoryMb: memoryOf(server.pids[0]),
      ...(options.settle ? { settledPerSecond: ok / (elapsedMs / 1000) } : {}),
      ...(livez === undefined ? {} : { livez }),
    };
  }

  return { load, measure, probe };
}
