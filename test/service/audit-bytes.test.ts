import { beforeEach, describe, expect, it } from "@jest/globals";
import { bytesLeft } from "../../src/audit/search/earlier-bytes.ts";
import type { AuditDraft } from "../../src/audit/entry.ts";
import type { ParsedEntry } from "../../src/audit/parsed-entry.ts";
import { eventBody, OTHER_SECRET, signed } from "../support/fixtures.ts";
import { openTestStore, storeFileIn } from "../support/open-test-store.ts";
import { suppressedIn } from "../support/read-trail.ts";
import { startTestService } from "../support/service.ts";
import { readColumn } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const MINUTE = 60_000;
const HOUR = 3_600_000;
const MB = 1_000_000;
/** The bytes of AUDIT_UNVERIFIED_MB_PER_DAY=1. */
const BURST = MB / 4;
/** The tolerance: one entry, and up to 15 bytes for each entry. */
const TOLERANCE = 8000;

let folder: ReturnType<typeof temporaryFolder>;
let now: number;

beforeEach(() => {
  folder = temporaryFolder();
  now = 1_800_000_000_000;
});

/** A service whose clocks only change when the test moves them. */
async function start() {
  const service = await startTestService(folder.path, {
    env: { AUDIT_UNVERIFIED_MB_PER_DAY: "1", TRUST_PROXY: "1" },
    deps: { now: () => now, monotonic: () => now - 1_700_000_000_000 },
  });
  let addresses = 0;
  const body = eventBody("evt_forged");
  const forge = async (count: number): Promise<void> => {
    const headers = signed(body, { at: now, secret: OTHER_SECRET });
    for (let n = 0; n < count; n += 50) {
      await Promise.all(
        Array.from({ length: Math.min(50, count - n) }, () => {
          addresses += 1;
          const ip = `10.1.${addresses >> 8}.${addresses & 255}`;
          return service.post(body, { ...headers, "x-forwarded-for": ip });
        }),
      );
    }
  };
  return { ...service, forge };
}

const rejected = (entries: readonly ParsedEntry[]): ParsedEntry[] =>
  entries.filter(({ action }) => action === "webhook.rejected");

/** Returns the bytes of the entries of unverified requests in the store. */
const storedBytes = (): number =>
  readColumn(
    storeFileIn(folder.path),
    `SELECT length(line) FROM audit_entry WHERE line LIKE '%"userId":"anonymous"%'`,
  ).reduce<number>((sum, bytes) => sum + Number(bytes), 0);

describe("AUDIT_UNVERIFIED_MB_PER_DAY", () => {
  it("limits the bytes, counts the other entries exactly, and refills, also across a restart", async () => {
    const first = await start();
    await first.forge(550);
    expect(storedBytes()).toBeGreaterThan(BURST - TOLERANCE);
    expect(storedBytes()).toBeLessThanOrEqual(BURST);

    now += 10 * MINUTE;
    await first.forge(50);
    const refilled = BURST + (0.75 * MB) / 144;
    expect(storedBytes()).toBeGreaterThan(refilled - TOLERANCE);
    expect(storedBytes()).toBeLessThanOrEqual(refilled);
    await first.stop();
    const count = (entries: readonly ParsedEntry[]): number =>
      rejected(entries).length + (suppressedIn(entries)["bad_signature"] ?? 0);
    expect(count(await first.entries())).toBe(600);

    const second = await start();
    await second.forge(20);
    expect(storedBytes()).toBeLessThanOrEqual(refilled);
    const before = storedBytes();
    now += HOUR;
    await second.forge(20);
    expect(storedBytes()).toBeGreaterThan(before + 20 * 500);
    await second.stop();
    expect(count(await second.entries())).toBe(640);
  });

  it("does not affect the entries of verified requests", async () => {
    const service = await start();
    await service.forge(550);
    const body = eventBody("evt_genuine");
    const headers = signed(body, { at: now });
    expect((await service.post(body, headers)).status).toBe(200);
    expect((await service.post(body, headers)).status).toBe(409);
    const stale = signed(body, { at: now - HOUR });
    expect((await service.post(body, stale)).status).toBe(401);
    await service.stop();
    const actions = (await service.entries())
      .filter(({ userId }) => userId === "source:hex")
      .map(({ action }) => action);
    expect(actions).toEqual([
      "webhook.accepted",
      "webhook.replayed",
      "webhook.rejected",
    ]);
  });
});

describe("the budget after earlier runs", () => {
  const draft = (at: number, userId: string): AuditDraft => ({
    at,
    action: "http.rejected",
    userId,
    resource: "/",
    result: "failure",
    metadata: { padding: "x".repeat(700) },
  });

  it("is the burst in a new store, and the burst minus the recent bytes in a used one", async () => {
    const store = await openTestStore(folder.path);
    expect(await bytesLeft(store, 64 * MB, now)).toBe(16 * MB);
    for (let n = 0; n < 20; n += 1) {
      await store.append(draft(now - 9 * HOUR, "anonymous"));
    }
    for (let n = 0; n < 20; n += 1) {
      await store.append(draft(now, "anonymous"));
      await store.append(draft(now, "system"));
    }
    const left = await bytesLeft(store, 64 * MB, now);
    expect(16 * MB - left).toBeGreaterThan(20 * 900);
    expect(16 * MB - left).toBeLessThan(20 * 1200);
  });

  it("is computed from the newest 20,000 entries of a busy trail", async () => {
    const store = await openTestStore(folder.path);
    const write = (count: number, at: number) =>
      Promise.all(
        Array.from({ length: count }, () => store.append(draft(at, "system"))),
      );
    await write(500, now - HOUR);
    await write(20_500, now - HOUR / 2);
    await store.append(draft(now, "anonymous"));
    const left = await bytesLeft(store, 64 * MB, now);
    expect(left).toBeGreaterThan(MB - 1200);
    expect(left).toBeLessThan(MB);
  });
});
