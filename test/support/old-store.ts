import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { AuditChain, type ChainHead } from "../../src/audit/chain.ts";
import { createCheckpoints, publicKeyOf } from "../../src/audit/checkpoint.ts";
import type { AuditDraft } from "../../src/audit/entry.ts";
import { signingKeyFile } from "../../src/store/open.ts";
import type { Database } from "../../src/store/sqlite/driver.ts";
import { signed, sqliteUrl } from "./fixtures.ts";
import { inProject } from "./project.ts";
import { openFile } from "./store-file.ts";

const FOLDER = inProject("src", "store", "sqlite", "migrations");

/** The migrations of this program, oldest first. */
export const MIGRATIONS = readdirSync(FOLDER)
  .sort()
  .map((file) => ({
    version: Number(file.slice(0, 4)),
    sql: readFileSync(`${FOLDER}/${file}`, "utf8"),
  }));

export const LATEST = MIGRATIONS.at(-1)!.version;

/** Every schema version that a store in use can have. */
export const OLDER_VERSIONS = MIGRATIONS.map(({ version }) => version).filter(
  (version) => version < LATEST,
);

/** The destination of the pending deliveries in an old store. */
const FORWARD = "forward";

export interface OldEvent {
  readonly id: string;
  readonly type: string;
  readonly contentType: string;
  readonly body: Buffer;
}

export interface OldStore {
  readonly file: string;
  readonly events: readonly OldEvent[];
  /** The ids of the events that are pending for `FORWARD`, and the number of their next attempt. */
  readonly pending: Readonly<Record<string, number>>;
  /** The headers of requests that the store has recorded, by their event id. */
  readonly seen: Readonly<Record<string, readonly Record<string, string>[]>>;
  /** The position of its sinks; 0 if the version has none. */
  readonly taken: number;
}

const HOUR = 3_600_000;

/**
 * Creates a store as the program of an older schema version left it when it was killed. It has events in each delivery state,
 * and rows in every table of that version.
 */
export function createOldStore(file: string, version: number): OldStore {
  const db = openFile(file);
  try {
    db.exec("PRAGMA journal_mode = WAL");
    for (const { version: each, sql } of MIGRATIONS) {
      if (each <= version) {
        db.exec(sql);
      }
    }
    db.exec(`PRAGMA user_version = ${version}`);
    db.exec("BEGIN");
    const old = fill(db, file, version);
    db.exec("COMMIT");
    return old;
  } finally {
    db.close();
  }
}

function fill(db: Database, file: string, version: number): OldStore {
  const now = Date.now();
  const writer = createOldWriter(db, { file, version, at: now - HOUR });
  const events: OldEvent[] = [];
  const pending: Record<string, number> = {};
  const seen: Record<string, Record<string, string>[]> = {};

  /** Stores an event with one delivery. `further` has the values of columns that later versions added. */
  function add(
    id: string,
    delivery: {
      destination?: string;
      state: string;
      attempt: number;
      leased?: number;
      dueAt?: number;
    },
    further: Record<string, string | number> = {},
  ): number {
    const seq = events.length + 1;
    // A string with bytes that are not UTF-8, because the store keeps exactly what was signed.
    const body = Buffer.concat([
      Buffer.from(`{"id":${JSON.stringify(id)},"type":"old.event","data":"`),
      Buffer.from([0xff, 0xfe, 0x7f]),
      Buffer.from('\\u0000"}'),
    ]);
    const type = "old.event";
    const contentType = "application/json; charset=utf-8";
    const headers = signed(body, { at: now - 60_000 });
    const mac = Buffer.from(headers["x-hex-signature"]!, "hex");
    const sha256 = createHash("sha256").update(body).digest();
    insert(db, "event", {
      seq,
      source: "hex",
      id,
      type,
      received_at: now - HOUR + seq,
      content_type: contentType,
      headers: '{"user-agent":"old"}',
      body_sha256: sha256,
      mac,
      body,
    });
    const { destination = FORWARD, state, attempt, leased = 0 } = delivery;
    const dueAt = delivery.dueAt ?? now - HOUR;
    const values = {
      id: seq,
      event_seq: seq,
      destination,
      state,
      attempt,
      leased,
      due_at: dueAt,
      ...(version >= 2 ? further : {}),
    };
    insert(db, "delivery", values);
    if (version >= 2 && state !== "pending") {
      insert(db, "attempt", {
        delivery_id: seq,
        attempt,
        started_at: now - HOUR,
        ended_at: now - HOUR + 7,
        ok: state === "succeeded" ? 1 : 0,
        status: state === "succeeded" ? 204 : 500,
      });
    }
    writer.append({
      at: now - HOUR + seq,
      action: "webhook.accepted",
      userId: "source:hex",
      resource: "/webhooks/hex",
      result: "success",
      metadata: {
        requestId: `r-${seq}`,
        source: "hex",
        scheme: "hex",
        keyId: "01234567",
        eventId: id,
        eventType: type,
        bodySha256: sha256.toString("hex"),
        bodyBytes: body.length,
        ip: "127.0.0.1",
        status: 200,
        skewSeconds: 0,
        deliveries: 1,
      },
    });
    events.push({ id, type, contentType, body });
    seen[id] = [headers];
    if (state === "pending" && destination === FORWARD) {
      pending[id] = attempt + 1;
    }
    return seq;
  }

  add("evt_succeeded", { state: "succeeded", attempt: 1 });
  add("evt_exhausted", { state: "exhausted", attempt: 10 });
  add("evt_new", { state: "pending", attempt: 0 });
  add("evt_failed", { state: "pending", attempt: 2 }, { uncounted: 1 });
  add(
    "evt_leased",
    { state: "pending", attempt: 1, leased: 1, dueAt: now + HOUR },
    { claimed_at: now - HOUR },
  );
  add("evt_\u{1f600}", { state: "pending", attempt: 0 });
  add(
    "evt_first",
    { state: "pending", attempt: 1 },
    { order_key: '"k"', crashes: 1 },
  );
  if (version >= 2) {
    add(
      "evt_second",
      { state: "pending", attempt: 0, dueAt: Number.MAX_SAFE_INTEGER },
      { order_key: '"k"' },
    );
    insert(db, "paused_destination", {
      name: "paused",
      paused_at: now - HOUR,
      paused_by: "alice",
    });
  }
  if (version >= 5) {
    add("evt_discarded", { state: "discarded", attempt: 3 });
  }
  add("evt_elsewhere", {
    destination: "paused",
    state: "pending",
    attempt: 3,
  });

  // The sender's retry of the first event, with a new signature and a claim.
  const again = signed(events[0]!.body, { at: now - 30_000 });
  seen["evt_succeeded"]!.push(again);
  insert(db, "replay_claim", {
    signed_at: Number(again["x-hex-timestamp"]),
    mac: Buffer.from(again["x-hex-signature"]!, "hex"),
    ...(version < 8 ? { source: "hex" } : {}),
    claimed_at: now - 30_000,
  });
  // An event of a scheme without a signed time.
  insert(db, "replay_claim", {
    signed_at: -1,
    mac: randomBytes(32),
    ...(version < 8 ? { source: "other" } : {}),
    claimed_at: now - HOUR,
  });
  const taken = version >= 3 ? writer.position() : 0;
  if (version >= 3) {
    insert(db, "audit_sink", {
      name: "file",
      position: taken,
      sending: taken,
      saved_at: now - HOUR,
      ...(version >= 4 ? { degraded_since: null } : {}),
    });
  }
  if (version >= 5) {
    insert(db, "process_status", {
      writer: "bbbbbbbbbbbbbbbb",
      published_at: now - HOUR,
      destinations: "[]",
    });
  }
  writer.append({
    at: now - HOUR + 100,
    action: "delivery.failed",
    userId: "worker",
    resource: `/destinations/${FORWARD}`,
    result: "failure",
    metadata: { eventId: "evt_failed", deliveryId: 4, attempt: 2 },
  });
  writer.saveHead();
  return { file, events, pending, seen, taken };
}

/** Writes a trail as the older program did: one run that ended and one that was killed. Trails are signed from version 3. */
function createOldWriter(
  db: Database,
  { file, version, at }: { file: string; version: number; at: number },
) {
  let key: KeyObject | null = null;
  if (version >= 3) {
    key = generateKeyPairSync("ed25519").privateKey;
    const pem = key.export({ format: "pem", type: "pkcs8" });
    writeFileSync(signingKeyFile(sqliteUrl(file)), pem, { mode: 0o600 });
  }
  const checkpoints = createCheckpoints(
    key ?? generateKeyPairSync("ed25519").privateKey,
  );
  let position = 0;

  function begin(name: string, heads: readonly ChainHead[]) {
    const chain = new AuditChain(name, checkpoints);
    const write = ({ line }: { line: string }): void => {
      position += 1;
      insert(db, "audit_entry", { position, writer: name, line });
    };
    const checkpoint = (): void => {
      const entry = key === null ? null : chain.checkpoint(at);
      if (entry !== null) {
        write(entry);
      }
    };
    const append = (draft: AuditDraft): void => {
      write(chain.append(draft));
    };
    append({
      ...server("server.started", at),
      metadata: {
        version: "0.0.1",
        node: "v20.0.0",
        sources: [],
        destinations: [FORWARD],
        ...(key === null ? {} : { publicKey: publicKeyOf(key) }),
        heads,
      },
    });
    checkpoint();
    return { chain, append, checkpoint };
  }

  function saveHead({ writer, seq, hash }: ChainHead): void {
    const seen = version >= 3 ? { seen_at: at } : {};
    insert(db, "audit_writer", { writer, seq, hash, ...seen });
  }

  const before = begin("aaaaaaaaaaaaaaaa", []);
  before.append({
    ...server("server.stopped", at),
    metadata: { reason: "SIGTERM" },
  });
  before.checkpoint();
  saveHead(before.chain.head());
  const { chain, append } = begin("bbbbbbbbbbbbbbbb", [before.chain.head()]);
  return {
    append,
    position: () => position,
    saveHead: () => {
      saveHead(chain.head());
    },
  };
}

function server(
  action: "server.started" | "server.stopped",
  at: number,
): Omit<AuditDraft, "metadata"> {
  return {
    at,
    action,
    userId: "system",
    resource: "server",
    result: "success",
  };
}

function insert(
  db: Database,
  table: string,
  values: Record<string, string | number | Buffer | null>,
): void {
  const names = Object.keys(values);
  const marks = names.map(() => "?").join(", ");
  db.prepare<(string | number | Buffer | null)[]>(
    `INSERT INTO ${table} (${names.join(", ")}) VALUES (${marks})`,
  ).run(...Object.values(values));
}

/** The columns of each table, and every row as SQL literals. */
export type Dump = Readonly<
  Record<string, { columns: readonly string[]; rows: readonly string[] }>
>;

/** The columns that a migration has removed. They are not compared. */
const REMOVED_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  replay_claim: ["source"],
};

/** Dumps the content of a store. `columns` limits it to the tables and columns of an earlier dump. */
export function dump(file: string, only?: Dump): Dump {
  const db = openFile(file, { readOnly: true });
  try {
    const tables = db
      .prepare<[], { name: string }>(
        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name",
      )
      .all()
      .map(({ name }) => name)
      .filter((name) => only === undefined || name in only);
    return Object.fromEntries(
      tables.map((table) => {
        const columns =
          only?.[table]?.columns ??
          db
            .prepare<[string], { name: string }>(
              "SELECT name FROM pragma_table_info(?)",
            )
            .all(table)
            .map(({ name }) => name)
            .filter((name) => !REMOVED_COLUMNS[table]?.includes(name));
        const literals = columns.map((column) => `quote(${column})`);
        const rows = db
          .prepare<[], { row: string }>(
            `SELECT ${literals.join(" || ',' || ")} AS row FROM ${table} ORDER BY row`,
          )
          .all()
          .map(({ row }) => row);
        return [table, { columns, rows }];
      }),
    );
  } finally {
    db.close();
  }
}

/** Returns the schema as SQLite stores it, with its version. */
export function schemaOf(file: string): unknown[] {
  const db = openFile(file, { readOnly: true });
  try {
    return [
      db.pragma("user_version"),
      ...db
        .prepare(
          "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name",
        )
        .all()
        .map((row) => ({ ...row })),
    ];
  } finally {
    db.close();
  }
}
