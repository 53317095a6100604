// node bench/fill-store.mjs FILE COUNT DAYS_OLD: adds events to a store that `hexhook migrate` has created. Bodies have 100
// bytes. No audit entries are created. In a large store, the index of event ids slows inserts down.
import { DatabaseSync } from "./sqlite.mjs";

const [file, count, daysOld] = process.argv.slice(2);
const receivedAt = Date.now() - Number(daysOld) * 86_400_000;

/** The value of each column of `event`, as SQL. `n` counts from 1. */
const VALUES = {
  seq: "n",
  source: "'hex'",
  id: "'evt_' || lower(hex(randomblob(16)))",
  type: "'bench.event'",
  received_at: `${receivedAt} + n / 1000`,
  content_type: "'application/json'",
  headers: `'{"content-type":"application/json"}'`,
  body_sha256: "randomblob(32)",
  mac: "randomblob(32)",
  body: "randomblob(100)",
};

const db = new DatabaseSync(file);
const columns = db
  .prepare(
    "SELECT name, \"notnull\", dflt_value FROM pragma_table_info('event')",
  )
  .all();
for (const { name, notnull, dflt_value } of columns) {
  if (notnull === 1 && dflt_value === null && !(name in VALUES)) {
    throw new Error(`bench/fill-store.mjs has no value for event.${name}`);
  }
}
const names = columns
  .map(({ name }) => name)
  .filter((name) => Object.hasOwn(VALUES, name));
const indexes = db
  .prepare(
    "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'event' AND sql IS NOT NULL",
  )
  .all();

db.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
db.exec("PRAGMA cache_size = -1000000; PRAGMA temp_store = MEMORY");
db.exec("BEGIN");
indexes.forEach(({ name }) => db.exec(`DROP INDEX "${name}"`));
db.exec(
  `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${Number(count)})
   INSERT INTO event (${names.join()}) SELECT ${names.map((name) => VALUES[name]).join()} FROM numbers`,
);
indexes.forEach(({ sql }) => db.exec(sql));
db.exec("COMMIT");
db.close();
