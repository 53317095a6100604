import { beforeEach, describe, expect, it } from "@jest/globals";
import { generateKeyPairSync } from "node:crypto";
import { hashLine, splitHash } from "../../src/audit/chain.ts";
import { type ParsedEntry, parseEntry } from "../../src/audit/parsed-entry.ts";
import type { Store } from "../../src/store/port.ts";
import { manualTime } from "../support/manual-time.ts";
import { CHECKPOINTS, SIGNING_KEY } from "../support/fixtures.ts";
import {
  DAY,
  type RetainedTrail,
  retainedTrail,
} from "../support/retention.ts";
import { changeStore, rewriteTrail } from "../support/rewrite-trail.ts";
import { startTestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { faultsOf } from "../support/trails.ts";

let folder: string;
let trail: RetainedTrail;

beforeEach(() => {
  folder = temporaryFolder().path;
  trail = retainedTrail(folder);
});

const change = (sql: string): void => {
  changeStore(trail.file, sql);
};

/** Sets the time of an entry twenty days back. */
const earlier = ({ timestamp }: ParsedEntry): string =>
  new Date(Date.parse(timestamp) - 20 * DAY).toISOString();

/** A run that has stopped, and another one that continues a day later. */
async function twoRuns(): Promise<Store> {
  const old = await trail.begin("old");
  await trail.write(old, 60);
  await old.checkpoint();
  await trail.write(old, 5);
  await old.checkpoint();
  await old.close();
  trail.pass(DAY);
  return trail.begin("living");
}

const seenLongAgo = (): void => {
  change(`UPDATE audit_writer SET seen_at = 0 WHERE writer = 'old'`);
};

describe("a run that was backdated in the store", () => {
  it("is kept if its lines were changed", async () => {
    const living = await twoRuns();
    const day = new Date(trail.now() - DAY).toISOString().slice(0, 10);
    change(
      `UPDATE audit_entry SET line = replace(line, '"timestamp":"${day}', '"timestamp":"2020-01-01') WHERE writer = 'old'`,
    );
    seenLongAgo();
    await trail.sweep(living, 10);
    expect(await trail.writers()).toEqual(["old", "living"]);
    expect(trail.changed).toEqual([{ writer: "old", seq: 1 }]);
    expect(faultsOf(await trail.verify())).toEqual([
      { code: "edited", writer: "old", seq: 1 },
    ]);
  });

  it("is kept if its hashes and links were recomputed", async () => {
    const living = await twoRuns();
    const anchors = await trail.heads();
    rewriteTrail(trail.file, "old", (entry) => ({ timestamp: earlier(entry) }));
    seenLongAgo();
    await trail.sweep(living, 10);
    expect(await trail.writers()).toEqual(["old", "living"]);
    expect(trail.changed).toMatchObject([{ writer: "old" }]);
    for (const options of [{}, { anchors: [anchors] }]) {
      expect(faultsOf(await trail.verify(options))).toMatchObject([
        { code: "signature_mismatch", writer: "old" },
      ]);
    }
  });

  it("is kept if it was signed again with another key", async () => {
    const living = await twoRuns();
    const { privateKey } = generateKeyPairSync("ed25519");
    rewriteTrail(
      trail.file,
      "old",
      (entry) => ({ timestamp: earlier(entry) }),
      privateKey,
    );
    seenLongAgo();
    expect(await trail.sweep(living, 10)).toBe(true);
    expect(await trail.writers()).toEqual(["old", "living"]);
    // The run is also kept later, when it would be old, because the start after it names other entries.
    trail.pass(30 * DAY);
    await trail.sweep(living, 10);
    expect(await trail.writers()).toEqual(["old", "living"]);
    const publicKeys = [CHECKPOINTS.publicKey];
    expect(faultsOf(await trail.verify({ publicKeys }))).toMatchObject([
      { code: "foreign_key", writer: "old" },
    ]);
  });

  it("is deleted if it is unchanged, at any age over the limit", async () => {
    const living = await twoRuns();
    trail.pass(20 * DAY);
    await trail.write(living, 1);
    await trail.sweep(living, 10);
    expect(await trail.writers()).toEqual(["living"]);
    expect(trail.changed).toEqual([]);
    expect(faultsOf(await trail.verify())).toEqual([]);
  });

  it.each([
    {
      what: "backdated",
      edit: (entry: ParsedEntry) => ({ timestamp: earlier(entry) }),
    },
    {
      what: "backdated without the signature of its time",
      edit: (entry: ParsedEntry) => {
        const { timestampSignature, ...metadata } = entry.metadata;
        expect(timestampSignature).toBeDefined();
        return { timestamp: earlier(entry), metadata };
      },
    },
  ])("keeps its last checkpoint when that is $what", async ({ edit }) => {
    const old = await trail.begin("old");
    await trail.write(old, 20);
    trail.pass(9 * DAY);
    await old.checkpoint();
    await old.close();
    trail.pass(2 * DAY);
    const living = await trail.begin("living");
    rewriteTrail(trail.file, "old", (entry, last) => (last ? edit(entry) : {}));
    seenLongAgo();
    await trail.sweep(living, 10);
    expect(await trail.writers()).toEqual(["old", "living"]);
    expect(faultsOf(await trail.verify())).toMatchObject([{ writer: "old" }]);
  });

  it("keeps its last checkpoint if a second time is inserted into it", async () => {
    const old = await trail.begin("old");
    await trail.write(old, 20);
    trail.pass(9 * DAY);
    await old.checkpoint();
    await old.close();
    trail.pass(2 * DAY);
    const living = await trail.begin("living");
    const line = (await trail.lines()).findLast((one) =>
      one.includes('"chain":{"writer":"old"'),
    )!;
    const entry = parseEntry(line)!;
    // A JSON parser uses the last member with a name, which is the signed one.
    const covered = splitHash(line)!
      .covered.replace(entry.timestamp, earlier(entry))
      .replace(',"userId"', `,"timestamp":"${entry.timestamp}","userId"`);
    const hash = hashLine(covered);
    const forged = `${covered.slice(0, -1)},"hash":"${hash}"}`;
    expect(parseEntry(forged)?.timestamp).toBe(entry.timestamp);
    change(`UPDATE audit_entry SET line = '${forged}' WHERE line = '${line}'`);
    seenLongAgo();
    await trail.sweep(living, 10);
    expect(await trail.writers()).toEqual(["old", "living"]);
    expect(trail.changed).toEqual([{ writer: "old", seq: entry.chain.seq }]);
  });

  it("blocks no other run, and nothing else in a service", async () => {
    const first = await trail.begin("old");
    await trail.write(first, 4000);
    await first.close();
    const second = await trail.begin("other");
    await trail.write(second, 30);
    await second.checkpoint();
    await second.close();
    trail.pass(20 * DAY);
    rewriteTrail(trail.file, "old", ({ resource, chain }) => ({
      resource: chain.seq === 5 ? "/webhooks/hidden" : resource,
    }));
    const time = manualTime();
    const service = await startTestService(folder, {
      env: {
        AUDIT_RETENTION_DAYS: "10",
        AUDIT_SIGNING_KEY: SIGNING_KEY.export({
          type: "pkcs8",
          format: "pem",
        }).toString(),
      },
      deps: { now: trail.now },
    });
    // A startup this long after the last one purges nothing for a day.
    trail.pass(DAY);
    await time.passMinutesUntil(
      async () => !(await trail.writers()).includes("other"),
    );
    expect((await service.request("/readyz")).status).toBe(200);
    await service.stop();
    expect(service.log.text.match(/audit trail was changed/g)).toHaveLength(1);
    expect(await trail.writers()).toHaveLength(2);
    expect(faultsOf(await trail.verify())).toMatchObject([{ writer: "old" }]);
  });
});

describe("a changed table of writers", () => {
  it("does not make the retention sign deletions that others made", async () => {
    const victim = await trail.begin("victim");
    await trail.write(victim, 1500);
    trail.pass(20 * DAY);
    const old = await trail.begin("old");
    await trail.write(old, 10);
    await old.checkpoint();
    await old.close();
    trail.pass(DAY);
    const living = await trail.begin("living");
    await trail.write(victim, 10);
    await victim.checkpoint();
    const [cut] = (await trail.stored()).filter(
      ({ action, chain }) =>
        action === "audit.checkpoint" &&
        chain.writer === "victim" &&
        chain.seq > 2,
    );
    change(
      `DELETE FROM audit_entry WHERE writer = 'victim' AND line LIKE '%"seq":%' AND CAST(substr(line, instr(line, '"seq":') + 6, 6) AS INTEGER) < ${cut!.chain.seq};
       UPDATE audit_writer SET purged_seq = ${cut!.chain.seq - 1}, purged_hash = '${cut!.chain.prev}', purged_at = 0, purged_told = 0 WHERE writer = 'victim'`,
    );
    trail.pass(11 * DAY);
    await trail.write(victim, 1);
    await trail.write(living, 1);
    await trail.sweep(living, 10);
    expect(await trail.writers()).toEqual(["victim", "living"]);
    expect(trail.changed).toEqual([{ writer: "victim", seq: cut!.chain.seq }]);
    expect(faultsOf(await trail.verify())).toEqual([
      { code: "missing", writer: "victim", seq: 1 },
    ]);
  });

  it("does not make the retention sign that a complete run was deleted", async () => {
    const victim = await trail.begin("victim");
    await trail.write(victim, 15);
    await victim.checkpoint();
    await victim.close();
    const old = await trail.begin("old");
    await trail.write(old, 15);
    await old.checkpoint();
    await old.close();
    trail.pass(15 * DAY);
    const living = await trail.begin("living");
    change(
      `DELETE FROM audit_entry WHERE writer = 'victim';
       UPDATE audit_writer SET purged_seq = seq, purged_hash = hash, purged_at = ${trail.now()}, purged_told = 0 WHERE writer = 'victim'`,
    );
    await trail.sweep(living, 10);
    expect(await trail.writers()).toEqual(["living"]);
    expect(faultsOf(await trail.verify())).toEqual([
      { code: "writer_gone", writer: "victim", seq: 1 },
    ]);
  });

  it("does not make recent entries count as old", async () => {
    const living = await twoRuns();
    seenLongAgo();
    await trail.sweep(living, 10);
    expect(await trail.writers()).toEqual(["old", "living"]);
    expect(faultsOf(await trail.verify())).toEqual([]);
  });
});
