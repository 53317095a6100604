import { type ParsedEntry, parseEntry } from "../../src/audit/parsed-entry.ts";
import { createTrailVerifier } from "../../src/audit/verify/verify-trail.ts";
import { rowsOf } from "../../src/cli/store/reader.ts";
import { openStoreReader } from "../../src/store/open.ts";
import type { StoreUrl } from "../../src/store/url.ts";
import { sqliteUrl } from "./fixtures.ts";

/** Returns all entries of a store's trail in order. Throws when the chain is not intact. `store`: a text is a SQLite file. */
export async function readTrail(
  store: string | StoreUrl,
): Promise<ParsedEntry[]> {
  const url = typeof store === "string" ? sqliteUrl(store) : store;
  const trail = await openStoreReader(url, { snapshot: true });
  try {
    const heads = await trail.heads();
    const verifier = createTrailVerifier();
    const entries: ParsedEntry[] = [];
    for await (const { line } of rowsOf(trail)) {
      verifier.entry(line);
      const entry = parseEntry(line);
      if (entry === null) {
        throw new Error(`not an entry: ${line}`);
      }
      entries.push(entry);
    }
    const faults = verifier
      .finish(heads)
      .writers.flatMap(({ fault }) => fault ?? []);
    if (faults.length > 0) {
      throw new Error(`the trail is not intact: ${JSON.stringify(faults)}`);
    }
    return entries;
  } finally {
    await trail.close();
  }
}

/** Returns the number of suppressed entries by reason. */
export function suppressedIn(
  entries: readonly ParsedEntry[],
): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { action, metadata } of entries) {
    if (action === "audit.suppressed") {
      const reasons = Object.entries(metadata["reasons"] as object);
      for (const [reason, count] of reasons) {
        sums[reason] = (sums[reason] ?? 0) + Number(count);
      }
    }
  }
  return sums;
}
