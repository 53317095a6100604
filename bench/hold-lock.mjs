// node bench/hold-lock.mjs FILE SECONDS: holds the write lock of a store, like a backup tool or an operator's transaction.
import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseSync } from "./sqlite.mjs";

const [file, seconds] = process.argv.slice(2);
const db = new DatabaseSync(file);
db.exec("PRAGMA busy_timeout = 10000");
db.exec("BEGIN IMMEDIATE");
await sleep(Number(seconds) * 1000);
db.exec("ROLLBACK");
db.close();
