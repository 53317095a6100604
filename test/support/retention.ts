import type { KeyObject } from "node:crypto";
import type { ChainHead, EntryPlace } from "../../src/audit/chain.ts";
import { publicKeyOf } from "../../src/audit/checkpoint.ts";
import type { AuditDraft } from "../../src/audit/entry.ts";
import { type ParsedEntry, parseEntry } from "../../src/audit/parsed-entry.ts";
import { serverStarted } from "../../src/audit/server-entries.ts";
import type { TrailReport } from "../../src/audit/verify/trail-report.ts";
import {
  createTrailVerifier,
  type VerifyOptions,
} from "../../src/audit/verify/verify-trail.ts";
import { rowsOf } from "../../src/cli/store/reader.ts";
import { purgeOldEntries } from "../../src/maintenance/audit-retention.ts";
import { openStore, openStoreReader } from "../../src/store/open.ts";
import type { Store } from "../../src/store/port.ts";
import type { StoreUrl } from "../../src/store/url.ts";
import { SIGNING_KEY, sqliteUrl } from "./fixtures.ts";
import { openTestStore, storeFileIn } from "./open-test-store.ts";

export const DAY = 86_400_000;

export type RetainedTrail = ReturnType<typeof retainedTrail>;

/**
 * Creates a trail whose writers and retention a test runs step by step, with a clock that the test moves. `url`: the store;
 * without it, the store is in the folder.
 */
export function retainedTrail(
  folder: string,
  url: StoreUrl = sqliteUrl(storeFileIn(folder)),
) {
  const file = storeFileIn(folder);
  let now = 1_800_000_000_000;

  const draft = (): AuditDraft => ({
    at: now,
    action: "webhook.duplicate",
    userId: "source:hex",
    resource: "/webhooks/hex",
    result: "success",
    metadata: {},
  });

  async function lines(): Promise<{
    lines: string[];
    heads: readonly ChainHead[];
  }> {
    const trail = await openStoreReader(url);
    const found: string[] = [];
    const heads = await trail.heads();
    for await (const { line } of rowsOf(trail)) {
      found.push(line);
    }
    await trail.close();
    return { lines: found, heads };
  }

  return {
    file,
    /** The changed entries that the retention has found. */
    changed: [] as EntryPlace[],
    now: () => now,
    pass(ms: number) {
      now += ms;
    },
    /** Starts a process run: a store with a new writer that has started as a service does. */
    async begin(writer: string, signingKey: KeyObject = SIGNING_KEY) {
      const open: typeof openStore = (_folder, deps) => openStore(url, deps);
      const options = { writer, signingKey, now: () => now, open };
      const store = await openTestStore(folder, options);
      const started = serverStarted({
        environment: "development",
        hexKeys: [],
        at: now,
        version: "1.0.0",
        nodeVersion: "v24.0.0",
        sources: [],
        destinations: [],
        publicKey: publicKeyOf(signingKey),
        heads: await store.heads(),
      });
      await Promise.all([store.append(started), store.checkpoint()]);
      return store;
    },
    async write(store: Store, count: number): Promise<void> {
      const entries = Array.from({ length: count }, () =>
        store.append(draft()),
      );
      await Promise.all(entries);
    },
    /** Purges what is older than a number of days, up to a position. Returns whether writers were left out. */
    sweep(store: Store, days: number, upTo = Number.MAX_SAFE_INTEGER) {
      return purgeOldEntries(
        {
          store,
          taken: async () => upTo,
          now,
          onChanged: (entry) => {
            this.changed.push(entry);
          },
        },
        { auditRetentionDays: days },
        new AbortController().signal,
      );
    },
    async verify(options: VerifyOptions = {}): Promise<TrailReport> {
      const stored = await lines();
      const verifier = createTrailVerifier(options);
      for (const line of stored.lines) {
        verifier.entry(line);
      }
      return verifier.finish(stored.heads);
    },
    async stored(): Promise<ParsedEntry[]> {
      return (await lines()).lines.map((line) => parseEntry(line)!);
    },
    /** Returns the writers with stored entries, in the order of their first entries. */
    async writers(): Promise<string[]> {
      const entries = (await lines()).lines.map((line) => parseEntry(line)!);
      return [...new Set(entries.map(({ chain }) => chain.writer))];
    },
    lines: async () => (await lines()).lines,
    heads: async () => (await lines()).heads,
  };
}
