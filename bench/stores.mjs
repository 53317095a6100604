// Creates stores that already contain events, for the services of the benchmark.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { LOAD_CORE, run } from "./children.mjs";
import { SECRET } from "./requests.mjs";
import { DatabaseSync } from "./sqlite.mjs";

const inBench = (name) => path.join(import.meta.dirname, name);

export function createStores({ folder, cli }) {
  const stores = new Map();

  async function make(count, daysOld) {
    const file = path.join(folder, `store-${count}-${daysOld}.db`);
    const { status, stderr } = spawnSync(process.execPath, [cli, "migrate"], {
      cwd: folder,
      encoding: "utf8",
      env: {
        ...process.env,
        HEX_SECRET: SECRET,
        DATABASE_URL: `sqlite:${file}`,
      },
    });
    if (status !== 0) {
      throw new Error(`hexhook migrate failed: ${stderr}`);
    }
    console.log(`filling a store with ${count.toLocaleString("en")} events`);
    const command = [process.execPath, inBench("fill-store.mjs"), file];
    await run(LOAD_CORE, [...command, String(count), String(daysOld)]);
    return file;
  }

  /** Returns a store with `count` events, created once in a run. Services that use it add events. */
  async function filled(count, daysOld = 0) {
    const key = `${count}-${daysOld}`;
    if (!stores.has(key)) {
      stores.set(key, await make(count, daysOld));
    }
    return stores.get(key);
  }

  function countEvents(file) {
    const db = new DatabaseSync(file, { readOnly: true });
    const { count } = db.prepare("SELECT count(*) AS count FROM event").get();
    db.close();
    return count;
  }

  return { filled, countEvents };
}

/** Holds the write lock of a store for some seconds. */
export const holdLock = (file, seconds) =>
  run(LOAD_CORE, [
    process.execPath,
    inBench("hold-lock.mjs"),
    file,
    String(seconds),
  ]);

/** Reads the whole list of events over the management API. */
export const listEvents = async (port, token) =>
  JSON.parse(
    await run(LOAD_CORE, [
      process.execPath,
      inBench("list-events.mjs"),
      String(port),
      token,
    ]),
  );
