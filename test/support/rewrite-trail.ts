import type { KeyObject } from "node:crypto";
import { hashLine } from "../../src/audit/chain.ts";
import { createCheckpoints } from "../../src/audit/checkpoint.ts";
import { type ParsedEntry, parseEntry } from "../../src/audit/parsed-entry.ts";
import { asciiJson } from "../../src/json/ascii.ts";
import { openFile } from "./store-file.ts";

/** Changes a store as an attacker with write access to its file can. */
export function changeStore(file: string, sql: string): void {
  const db = openFile(file);
  db.exec(sql);
  db.close();
}

/**
 * Rewrites the entries of a writer, and the table of heads, with correct hashes and links. Signatures stay as they are, unless
 * `forger`, a key of the attacker, signs them again.
 */
export function rewriteTrail(
  file: string,
  writer: string,
  edit: (entry: ParsedEntry, last: boolean) => Partial<ParsedEntry>,
  forger?: KeyObject,
): void {
  const db = openFile(file);
  const rows = db
    .prepare<[string], { position: number; line: string }>(
      "SELECT position, line FROM audit_entry WHERE writer = ? ORDER BY position",
    )
    .all(writer);
  const update = db.prepare<[string, number]>(
    "UPDATE audit_entry SET line = ? WHERE position = ?",
  );
  const setHead = db.prepare<[string, string]>(
    "UPDATE audit_writer SET hash = ? WHERE writer = ?",
  );
  const checkpoints = forger === undefined ? null : createCheckpoints(forger);
  let prev = parseEntry(rows[0]!.line)!.chain.prev;
  rows.forEach(({ position, line }, n) => {
    const old = parseEntry(line)!;
    const { seq } = old.chain;
    const edited = { ...old, ...edit(old, n === rows.length - 1) };
    const chain = { writer, seq, prev };
    const { timestamp, action, userId, resource, result } = edited;
    const metadata =
      action === "audit.checkpoint" && checkpoints !== null
        ? checkpoints.entry(chain, Date.parse(timestamp)).metadata
        : edited.metadata;
    const members = { timestamp, action, userId, resource, result, metadata };
    const covered = asciiJson({ ...members, chain });
    prev = hashLine(covered);
    update.run(`${covered.slice(0, -1)},"hash":"${prev}"}`, position);
    setHead.run(prev, writer);
  });
  db.close();
}
