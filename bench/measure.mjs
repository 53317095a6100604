// One measurement: the load on a server for some seconds, with the CPU time of its threads, and /livez beside it.
import { countCpu, memoryOf } from "./cpu.mjs";
import { LOAD_CORE, run } from "./children.mjs";

const WARM_UP_SECONDS = 1;
const PROBES_PER_SECOND = 20;
/** What new connections can reach at most. */
const FRESH_PER_SECOND = 15_000;
/** Bytes a second that no server here reaches, so that large bodies do not need files of many GB. */
const MOST_BYTES_PER_SECOND = 600e6;

export function createMeasure({ native, requests, seconds }) {
  async function runLoad(args, onStart) {
    const command = [native.load, ...args.map(String)];
    return JSON.parse(await run(LOAD_CORE, command, { onStart }));
  }

  /** Asks /livez on a connection of its own, 20 times a second, until stopped. Latency counts from when each was due. */
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

  /** The load alone. `options`: connections, seconds, rate, fresh, bodyBytes, forged, address. */
  async function load(server, options = {}) {
    const { connections = 64, fresh = false, rate } = options;
    const { bodyBytes = 1024, forged = false } = options;
    const duration = options.seconds ?? seconds;
    const most = Math.min(
      server.mostPerSecond,
      fresh ? FRESH_PER_SECOND : Infinity,
      MOST_BYTES_PER_SECOND / bodyBytes,
    );
    const perSecond = (rate ?? most) * 1.02;
    const made = requests.take(server, {
      scheme: server.scheme,
      bodyBytes,
      forged,
      count: Math.ceil(perSecond * duration) + 2,
      room: Math.ceil(perSecond * (seconds + WARM_UP_SECONDS)) + 2,
    });
    const result = await runLoad([
      made.file,
      server.port,
      connections,
      duration,
      ...(fresh ? ["fresh", "addresses=8"] : []),
      ...(rate === undefined ? [] : [`rate=${rate}`]),
      ...(options.address === undefined ? [] : [`address=${options.address}`]),
      `skip=${made.skip}`,
    ]);
    made.sent(result.sent);
    return result;
  }

  /** The load, with CPU time, memory, and, if `livez`, the latency of /livez. */
  async function measure(server, options = {}) {
    if (options.warmUp !== false) {
      await load(server, { ...options, seconds: WARM_UP_SECONDS });
    }
    const endProbe = options.livez ? probe(server) : undefined;
    const endCpu = countCpu(server.pids);
    const result = await load(server, options);
    const cpu = endCpu();
    const livez = await endProbe?.();
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
      memoryMb: memoryOf(server.pids[0]),
      ...(livez === undefined ? {} : { livez }),
    };
  }

  return { load, measure, probe };
}
