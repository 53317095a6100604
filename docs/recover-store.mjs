// Copies the readable rows of a damaged store into a new one: node recover-store.mjs DAMAGED NEW
// Make NEW with `hexhook migrate` of the same version of Hexhook. Use a copy as DAMAGED: it is changed. See backup-and-recovery.md.
import {
  closeSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";

const [damaged, fresh] = process.argv.slice(2);
if (fresh === undefined) {
  console.error("usage: node recover-store.mjs DAMAGED NEW");
  process.exit(64);
}
// Node 22 would warn that its SQLite is experimental.
process.removeAllListeners("warning");
// Node 20 has no built-in SQLite, so the script uses the SQLite package of an installed Hexhook.
const { DatabaseSync } = await import("node:sqlite").catch(
  () => import("@photostructure/sqlite"),
);

/** The number of row ids to try after the last readable one. */
const TRIED_AFTER_LAST = 10_000;

/** The number of rows copied in one statement. */
const STEP = 10_000;

/** Offset in the header of the number of pages. If that number is 0, SQLite computes it from the size of the file. */
const PAGES_OFFSET = 28;
const HEADER_BYTES = 100;
const PAGE_SIZE_OFFSET = 16;

function headerOf(file) {
  const header = Buffer.alloc(HEADER_BYTES);
  const descriptor = openSync(file, "r");
  readSync(descriptor, header, 0, HEADER_BYTES, 0);
  closeSync(descriptor);
  return header;
}

/** Replaces an overwritten header by the header of the new store, which has the same version and page size. */
function repairHeader() {
  if (headerOf(damaged).toString("latin1", 0, 15) !== "SQLite format 3") {
    const header = headerOf(fresh);
    header.writeUInt32BE(0, PAGES_OFFSET);
    const descriptor = openSync(damaged, "r+");
    writeSync(descriptor, header, 0, HEADER_BYTES, 0);
    closeSync(descriptor);
    console.log("header: replaced");
  }
}

/** Appends empty pages if the file is shorter than its header says, because SQLite rejects such a file as a whole. */
function restoreLength() {
  const header = headerOf(damaged);
  const pageSize = header.readUInt16BE(PAGE_SIZE_OFFSET);
  const bytes = header.readUInt32BE(PAGES_OFFSET) * pageSize;
  if (statSync(damaged).size < bytes) {
    truncateSync(damaged, bytes);
    console.log("end: filled with empty pages");
  }
}

repairHeader();
restoreLength();
const db = new DatabaseSync(fresh);
db.exec("PRAGMA foreign_keys = OFF");
// Each statement is its own transaction: in a larger one, an error would undo the rows before it.
db.exec("PRAGMA synchronous = OFF");
db.prepare("ATTACH ? AS damaged").run(damaged);
const version = (name) =>
  db.prepare(`PRAGMA ${name}.user_version`).get().user_version;
if (version("damaged") !== version("main")) {
  console.error(
    `${damaged} has schema version ${version("damaged")}, ${fresh} has ${version("main")}: use the Hexhook that wrote it`,
  );
  process.exit(1);
}

/** Returns the first column of the first row, or null if it cannot be read. */
function tryValue(sql) {
  try {
    return Object.values(db.prepare(sql).get() ?? { none: null })[0];
  } catch {
    return null;
  }
}

/** Copies a range of rows. If a row cannot be read, splits the range in half, down to single rows. */
function copyRange(table, from, to) {
  try {
    db.prepare(
      `INSERT OR IGNORE INTO main.${table} SELECT * FROM damaged.${table} NOT INDEXED WHERE rowid BETWEEN ? AND ?`,
    ).run(from, to);
    return true;
  } catch {
    if (from < to) {
      const middle = Math.floor((from + to) / 2);
      copyRange(table, from, middle);
      copyRange(table, middle + 1, to);
    }
    return false;
  }
}

function copyByRowid(table) {
  const first = tryValue(`SELECT min(rowid) FROM damaged.${table} NOT INDEXED`);
  const last = tryValue(`SELECT max(rowid) FROM damaged.${table} NOT INDEXED`);
  // If the last row id cannot be read, reading from the first row finds the last row before the damage.
  let reached = first ?? 0;
  if (last === null) {
    try {
      for (const { n } of db
        .prepare(
          `SELECT rowid AS n FROM damaged.${table} NOT INDEXED ORDER BY rowid`,
        )
        .iterate()) {
        reached = n;
      }
    } catch {
      // The damage begins here.
    }
  }
  const end = last ?? reached + TRIED_AFTER_LAST;
  let isWhole = last !== null;
  for (let from = first ?? 1; from <= end; from += STEP) {
    isWhole = copyRange(table, from, Math.min(from + STEP - 1, end)) && isWhole;
  }
  return isWhole;
}

/** Copies a table without row ids: from its beginning to the damage, then from its end to the damage. */
function copyFromBothEnds(table, key) {
  let isWhole = true;
  for (const order of ["ASC", "DESC"]) {
    try {
      const rows = db.prepare(
        `SELECT * FROM damaged.${table} ORDER BY ${key.map((column) => `${column} ${order}`).join(", ")}`,
      );
      for (const row of rows.iterate()) {
        const values = Object.values(row);
        db.prepare(
          `INSERT OR IGNORE INTO main.${table} VALUES (${values.map(() => "?").join(", ")})`,
        ).run(...values);
      }
    } catch {
      isWhole = false;
    }
  }
  return isWhole;
}

/** Deletes deliveries without an event and attempts without a delivery: they cannot be used. */
function deleteOrphans() {
  db.exec(`
    DELETE FROM main.delivery WHERE NOT EXISTS (SELECT 1 FROM main.event WHERE seq = event_seq);
    DELETE FROM main.attempt WHERE NOT EXISTS (SELECT 1 FROM main.delivery WHERE id = delivery_id);
  `);
}

const tables = db
  .prepare(
    "SELECT name, wr AS withoutRowid FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%'",
  )
  .all();
const damagedTables = new Set();
for (const { name, withoutRowid } of tables) {
  const key = db
    .prepare("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk")
    .all(name)
    .map((column) => column.name);
  if (!(withoutRowid ? copyFromBothEnds(name, key) : copyByRowid(name))) {
    damagedTables.add(name);
  }
}
deleteOrphans();
for (const { name } of tables) {
  const rows = tryValue(`SELECT count(*) FROM main.${name}`);
  const lost = damagedTables.has(name) ? ", others cannot be read" : "";
  console.log(`${name}: ${rows} rows${lost}`);
}
db.exec("PRAGMA synchronous = FULL");
db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
db.close();
