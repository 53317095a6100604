// node bench/scrape.mjs [EVENTS]: measures GET /metrics on a SQLite store with many events (1,000,000), 1000 of which are
// pending. It prints the time that a scrape takes for its client, and the CPU time of the service. Run `npm run build` first.
import { spawn, spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const EVENTS = process.argv[2] ?? "1000000";
const PENDING = 1000;
const SCRAPES = 200;
const SECRET = "bench-signing-secret-0123456789abcdef";
const PORT = 3900;
const ADMIN_PORT = 3901;

const root = path.join(import.meta.dirname, "..");
const folder = mkdtempSync(path.join(tmpdir(), "hexhook-scrape-"));
const env = {
  ...process.env,
  DATABASE_URL: "sqlite:hexhook.db",
  HEX_SECRET: SECRET,
  PORT: String(PORT),
  ADMIN_PORT: String(ADMIN_PORT),
  AUDIT_STDOUT: "off",
  LOG_LEVEL: "fatal",
  HANDLERS: "none.mjs",
  // Nothing listens on the port.
  FORWARD_URL: "http://127.0.0.1:9/",
};
const cli = path.join(root, "dist/cli.js");

async function post(n) {
  const body = JSON.stringify({ id: `evt_${n}`, type: "bench.event" });
  const at = Math.floor(Date.now() / 1000);
  const mac = createHmac("sha256", SECRET).update(`${at}.${body}`);
  const response = await fetch(`http://127.0.0.1:${PORT}/webhooks/hex`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-hex-timestamp": String(at),
      "x-hex-signature": mac.digest("hex"),
    },
    body,
  });
  await response.text();
  if (!response.ok) {
    throw new Error(`the service responded with ${response.status}`);
  }
}

async function scrape() {
  const startedAt = performance.now();
  const response = await fetch(`http://127.0.0.1:${ADMIN_PORT}/metrics`);
  const text = await response.text();
  return { ms: performance.now() - startedAt, text };
}

/** Returns the CPU time that the service has used, in milliseconds. */
const cpuMs = ({ text }) =>
  1000 * Number(/^process_cpu_seconds_total (.*)$/m.exec(text)[1]);

const show = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))];
  return [0.5, 0.9, 0.99].map((share) => at(share).toFixed(1)).join(" / ");
};

writeFileSync(path.join(folder, "none.mjs"), "export default {};\n");
spawnSync(process.execPath, [cli, "migrate"], { cwd: folder, env });
const filled = spawnSync(
  process.execPath,
  [path.join(root, "bench/fill-store.mjs"), "hexhook.db", EVENTS, "1"],
  { cwd: folder, stdio: "inherit" },
);
const service = spawn(process.execPath, [cli, "serve"], {
  cwd: folder,
  env,
  stdio: ["ignore", "ignore", "inherit"],
});
try {
  if (filled.status !== 0) {
    throw new Error("the store could not be filled");
  }
  for (;;) {
    const ready = await fetch(`http://127.0.0.1:${PORT}/readyz`).catch(
      () => null,
    );
    if (ready?.ok) {
      break;
    }
    await delay(100);
  }
  for (let n = 0; n < PENDING; n += 1) {
    await post(n);
  }
  const first = await scrape();
  const apart = [];
  let before = first;
  for (let n = 0; n < SCRAPES; n += 1) {
    // Longer than a reading of the store is reused.
    await delay(n < 20 ? 1000 : 20);
    const last = await scrape();
    apart.push(last.ms);
    before = n === 19 ? last : before;
    if (n === SCRAPES - 1) {
      const perScrape = (cpuMs(last) - cpuMs(before)) / (SCRAPES - 20);
      console.log(`CPU time of a scrape: ${perScrape.toFixed(1)} ms`);
    }
  }
  console.log(`${EVENTS} events, ${PENDING} pending`);
  console.log(`bytes of a scrape: ${first.text.length}`);
  console.log(`first scrape: ${first.ms.toFixed(1)} ms`);
  console.log(`with a reading of the store: ${show(apart.slice(0, 20))} ms`);
  console.log(`with a reused reading: ${show(apart.slice(20))} ms`);
  console.log("(median / 90th / 99th percentile)");
} finally {
  service.kill("SIGKILL");
  await once(service, "exit");
  rmSync(folder, { recursive: true });
}
