import { GENESIS } from "../../audit/chain.ts";
import type { Connection } from "./connection.ts";
import type { Sql } from "./sql.ts";

/** The row of this writer: the hash of its last entry, and the number that its transactions must name. */
export interface WriterRow {
  readonly fence: number;
  readonly hash: string;
}

const TAKE = {
  name: "take-writer",
  text: `
INSERT INTO audit_writer (writer, seq, hash, seen_at) VALUES ($1, 0, '${GENESIS}', $2)
ON CONFLICT (writer) DO UPDATE SET fence = audit_writer.fence + 1
RETURNING fence, hash`,
};

const TERMINATE = {
  name: "terminate-backend",
  text: `
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = $1 AND application_name = $2 AND pid <> pg_backend_pid()`,
};

const SETTINGS = {
  name: "lane-settings",
  text: `
SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS setting (name, value)`,
};

/** The name of the connection, by which a later connection recognises it. */
const nameOf = (writer: string): string => `hexhook ${writer}`;

/**
 * Prepares the connection of a lane. A plan that was made while a table was empty must not read the whole table once it is
 * large, so all plans use the indexes.
 */
export async function prepareConnection(
  sql: Sql,
  writer: string,
): Promise<void> {
  const settings = {
    application_name: nameOf(writer),
    plan_cache_mode: "force_generic_plan",
    enable_seqscan: "off",
    enable_bitmapscan: "off",
    jit: "off",
  };
  await sql.query(SETTINGS, [Object.keys(settings), Object.values(settings)]);
}

/** Takes the writer's row for this connection. From then on no transaction of an earlier connection can commit. */
export async function takeWriter(
  sql: Sql,
  writer: string,
  at: number,
): Promise<WriterRow> {
  const [row] = await sql.query<WriterRow>(TAKE, [writer, at]);
  return row as WriterRow;
}

/** Ends the earlier connection of this lane, if the server still has it. It may hold locks, or wait for some. */
export async function endEarlier(
  sql: Sql,
  writer: string,
  earlier: Pick<Connection, "backendPid">,
): Promise<void> {
  await sql.query(TERMINATE, [earlier.backendPid, nameOf(writer)]);
}
