// Computes the goals of the benchmark from the results of one run. A figure is null if its scenarios were not run.
import { spreadOf } from "./statistics.mjs";

/** The measured value of a feature that does not exist yet. */
const NOT_BUILT = undefined;
/** Minimum length of a run that measures memory. */
const MEMORY_SECONDS = 600;

/** Returns a function that reads the median of a field, or null. */
const reader = (results) => (scenario, variant, field) =>
  spreadOf(results[scenario]?.variants[variant]?.runs ?? [], field)?.median ??
  null;

const ratio = (a, b) => (a === null || b === null || b === 0 ? null : a / b);

/** Returns the rows of the goals. `goal` is a minimum, or with `isMaximum` a maximum. */
export function goalsOf({ results, figures }) {
  const at = reader(results);
  const livez = (scenario, variant) => at(scenario, variant, "livez.p99");
  const rate = (scenario, variant) => at(scenario, variant, "perSecond");
  const isLong = at("memory", "memory", "seconds") >= MEMORY_SECONDS;
  const memory = (field) => (isLong ? at("memory", "memory", field) : null);
  const rows = [
    {
      figure: "CPU µs for each request: bare verifier ÷ Hexhook's main thread",
      goal: 0.6,
      measured: ratio(
        at("keep-alive", "bare", "cpuTotal"),
        at("keep-alive", "hexhook", "cpuMain"),
      ),
    },
    {
      figure: "CPU µs for each request: bare verifier ÷ all of Hexhook",
      goal: 0.42,
      measured: ratio(
        at("keep-alive", "bare", "cpuTotal"),
        at("keep-alive", "hexhook", "cpuTotal"),
      ),
    },
    {
      figure: "new connections, fsync + 5 ms: requests/s ÷ bare verifier",
      goal: 0.6,
      measured: ratio(
        rate("new-connections-fsync-5", "hexhook"),
        rate("new-connections-fsync-5", "bare"),
      ),
    },
    {
      figure: "256 connections, fsync + 20 ms: response p99",
      goal: 300,
      isMaximum: true,
      unit: "ms",
      measured: at("fsync", "hexhook-20", "p99"),
    },
    {
      figure: "256 connections, fsync + 20 ms: /livez p99",
      goal: 50,
      isMaximum: true,
      unit: "ms",
      measured: livez("fsync", "hexhook-20"),
    },
    {
      figure: "256 connections: requests/s with fsync + 5 ms ÷ without",
      goal: 0.8,
      measured: ratio(rate("fsync", "hexhook-5"), rate("fsync", "hexhook-0")),
    },
    {
      figure: "/livez p99 during a lock of 5 s",
      goal: 50,
      isMaximum: true,
      unit: "ms",
      measured: livez("lock", "lock"),
    },
    {
      figure: "/livez p99 during a purge",
      goal: 50,
      isMaximum: true,
      unit: "ms",
      measured: livez("purge", "purge"),
    },
    {
      figure: "/livez p99 during a listing of 1,000,000 events",
      goal: 50,
      isMaximum: true,
      unit: "ms",
      measured: livez("listing", "listing"),
    },
    {
      figure: "requests/s ÷ Express + Redis + BullMQ",
      goal: 4,
      measured: ratio(
        rate("keep-alive", "hexhook"),
        rate("keep-alive", "redis"),
      ),
    },
    {
      figure: "requests/s ÷ @octokit/webhooks in memory, all cores",
      goal: 1,
      measured: ratio(
        rate("all-cores", "hexhook"),
        rate("all-cores", "octokit"),
      ),
    },
    {
      figure:
        "events/s delivered to a no-op handler ÷ requests/s without handlers",
      goal: 0.6,
      measured: ratio(
        at("handler", "handler", "settledPerSecond"),
        rate("handler", "without"),
      ),
    },
    {
      figure: "requests/s with 5,000,000 stored events ÷ with none",
      goal: 0.9,
      measured: ratio(rate("stored", "stored"), rate("stored", "none")),
    },
    {
      figure: "response p99 at half the peak",
      goal: 10,
      isMaximum: true,
      unit: "ms",
      measured: at("latency", "0.5", "p99"),
    },
    {
      figure: "memory after 10 minutes at half the peak",
      goal: 150,
      isMaximum: true,
      unit: "MB",
      measured: memory("memoryMax"),
    },
    {
      figure: "memory growth, from the second fifth of 10 minutes to the last",
      goal: 1.1,
      isMaximum: true,
      measured: ratio(memory("memoryEnd"), memory("memoryStart")),
    },
    {
      figure: "start to ready, empty store",
      goal: 500,
      isMaximum: true,
      unit: "ms",
      measured: at("start", "empty", "readyMs"),
    },
    {
      figure: "start to ready, 5,000,000 events",
      goal: 1000,
      isMaximum: true,
      unit: "ms",
      measured: at("start-stored", "stored", "readyMs"),
    },
    {
      figure: "PostgreSQL requests/s ÷ SQLite requests/s",
      goal: 0.5,
      measured: NOT_BUILT,
    },
    {
      figure: "256 KiB bodies: MB/s ÷ HMAC's own MB/s on one core",
      goal: 0.3,
      measured: ratio(
        mbPerSecond(rate("large", "hexhook")),
        figures.hmacMbPerSecond ?? null,
      ),
    },
    {
      figure: "100 requests/s, fsync + 20 ms: response p99",
      goal: null,
      unit: "ms",
      measured: at("slow-disk", "hexhook", "p99"),
    },
    {
      figure: "100 requests/s, fsync + 20 ms: /livez p99",
      goal: 50,
      isMaximum: true,
      unit: "ms",
      measured: livez("slow-disk", "hexhook"),
    },
  ];
  return rows.map((row) => ({ ...row, reached: isReached(row) }));
}

const mbPerSecond = (perSecond) =>
  perSecond === null ? null : (perSecond * 262_144) / 1e6;

export const isMeasured = ({ measured }) =>
  measured !== NOT_BUILT && measured !== null;

function isReached({ goal, isMaximum = false, measured }) {
  if (!isMeasured({ measured }) || goal === null) {
    return null;
  }
  return isMaximum ? measured <= goal : measured >= goal;
}

const number = (value, unit) =>
  unit === undefined
    ? value.toFixed(2)
    : `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;

/** Returns the cells of a row: figure, goal, measured, reached. */
export function goalCells({
  figure,
  goal,
  isMaximum,
  unit,
  measured,
  reached,
}) {
  const bound = isMaximum ? "at most" : "at least";
  return [
    figure,
    goal === null
      ? "-"
      : `${bound} ${unit === undefined ? goal : `${goal} ${unit}`}`,
    measured === NOT_BUILT
      ? "not built yet"
      : measured === null
        ? "not measured"
        : number(measured, unit),
    reached === null ? "-" : reached ? "yes" : "no",
  ];
}
