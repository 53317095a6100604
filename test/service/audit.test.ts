import { asciiJson } from "../../src/json/ascii.ts";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { createHash } from "node:crypto";
import path from "node:path";
import {
  createEntryFilter,
  textsOf,
} from "../../src/audit/search/entry-filter.ts";
import { type ParsedEntry, parseEntry } from "../../src/audit/parsed-entry.ts";
import { formatEntry } from "../../src/cli/ui/format-entry.ts";
import { serverStarted } from "../../src/audit/server-entries.ts";
import { AuditChain, GENESIS } from "../../src/audit/chain.ts";
import type { AuditDraft } from "../../src/audit/entry.ts";
import {
  CHECKPOINTS,
  eventBody,
  OTHER_SECRET,
  SECRET,
  signed,
} from "../support/fixtures.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { openFile } from "../support/store-file.ts";

function draft(n: number): AuditDraft {
  return {
    at: 1_800_000_000_000 + n,
    action: "webhook.accepted",
    userId: "source:hex",
    resource: "/webhooks/hex",
    result: "success",
    metadata: { eventId: `evt_${n}`, ip: "127.0.0.1" },
  };
}

/** A trail of `count` entries of one writer. */
function trailOf(writer: string, count: number): string[] {
  const chain = new AuditChain(writer, CHECKPOINTS);
  return Array.from({ length: count }, (_, n) => chain.append(draft(n)).line);
}

describe("an entry", () => {
  it("has exactly its members, in order, with the hash of the line without it", () => {
    const [first, second] = trailOf("w", 2) as [string, string];

    expect(first).toMatch(
      /^\{"timestamp":"2027-01-15T08:00:00\.000Z","action":"webhook\.accepted","userId":"source:hex","resource":"\/webhooks\/hex","result":"success","metadata":\{"eventId":"evt_0","ip":"127\.0\.0\.1"\},"chain":\{"writer":"w","seq":1,"prev":"0{64}"\},"hash":"[0-9a-f]{64}"\}$/,
    );
    const hash = createHash("sha256")
      .update(first.replace(/,"hash":"[0-9a-f]{64}"/, ""))
      .digest("hex");
    expect(JSON.parse(first)).toMatchObject({ hash });
    expect(JSON.parse(second)).toMatchObject({
      chain: { seq: 2, prev: hash },
    });
  });

  it("is one line of printable ASCII whatever a sender put into it", () => {
    const nasty =
      '\n\r\u0000\u001b[2J\u007f\u0085\u2028\u2029\u202e\ud800é😀"\\';
    const line = asciiJson({ nasty });
    expect(line).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(line)).toEqual({ nasty });
  });

  it("is never longer than 8 KiB", () => {
    const { line } = new AuditChain("w", CHECKPOINTS).append({
      ...draft(1),
      metadata: { requestId: "r", reason: "x", huge: "\u2028".repeat(5000) },
    });
    expect(line.length).toBeLessThanOrEqual(8192);
    expect(parseEntry(line)?.metadata).toEqual({
      requestId: "r",
      reason: "x",
      truncated: true,
    });
  });

  it("server.started names the newest heads that fit, and how many more there are", () => {
    const heads = Array.from({ length: 100 }, (_, n) => ({
      writer: n.toString(16).padStart(16, "0"),
      seq: 123_456_789 + n,
      hash: "a".repeat(64),
    }));
    const started = serverStarted({
      environment: "development",
      hexKeys: [],
      at: 1,
      version: "1.0.0",
      nodeVersion: "v24.0.0",
      sources: [
        { name: "hex", scheme: "hex", secrets: [], onReplay: "reject" },
      ],
      destinations: Array.from({ length: 40 }, (_, n) => `destination-${n}`),
      publicKey: CHECKPOINTS.publicKey,
      heads,
    });
    const { line } = new AuditChain("w", CHECKPOINTS).append(started);
    const { metadata } = parseEntry(line)!;
    const named = metadata["heads"] as unknown[];
    expect(named.length).toBeGreaterThan(50);
    expect(named).toEqual(heads.slice(0, named.length));
    expect(metadata["headsOmitted"]).toBe(100 - named.length);
  });
});

describe("the filter of the trail", () => {
  const { line } = new AuditChain("w", CHECKPOINTS).append({
    ...draft(0),
    metadata: { source: "hex", eventId: "evt_0" },
  });
  const entry = parseEntry(line)!;

  it.each([
    [{}, true],
    [{ action: "webhook.*" }, true],
    [{ action: "*accepted" }, true],
    [{ action: "webhook" }, false],
    [{ action: "webhookXaccepted" }, false],
    [{ action: "webhook?accepted" }, false],
    [{ result: "success" }, true],
    [{ result: "failure" }, false],
    [{ source: "hex" }, true],
    [{ source: "github" }, false],
    [{ since: Date.parse(entry.timestamp) }, true],
    [{ since: Date.parse(entry.timestamp) + 1 }, false],
    [{ event: "evt_0" }, true],
    [{ event: "hex/evt_0" }, true],
    [{ event: "github/evt_0" }, false],
    [{ event: "evt_" }, false],
  ] as const)("%j: %s", (filter, matches) => {
    expect(createEntryFilter(filter)(entry)).toBe(matches);
    // A store that looks for the texts alone must not miss it.
    const found = textsOf(filter).every((text) => line.includes(text));
    expect(found || !matches).toBe(true);
  });
});

describe("the readable form", () => {
  const entry = JSON.parse(trailOf("w", 1)[0]!) as ParsedEntry;
  const plain = (changes: Partial<ParsedEntry>): string =>
    formatEntry({ ...entry, ...changes }, { colours: false, width: 80 });

  it("has colours only when asked, and shows what a terminal would act on as text", () => {
    const metadata = { eventId: "\u001b[2Jevil\n" };
    expect(plain({ metadata })).toBe(
      "2027-01-15 08:00:00Z ok   webhook.accepted \\u001b[2Jevil\\n",
    );
    expect(
      formatEntry({ ...entry, metadata }, { colours: true, width: 80 }),
    ).toContain("Z \u001b[32mok  \u001b[0m webhook");
  });

  it("fits its width, on as many lines as that takes, and hides neither id nor reason", () => {
    const eventId = "evt_01234567-89ab-cdef-0123-456789abcdef";
    const text = plain({
      action: "delivery.failed",
      result: "failure",
      resource: "/destinations/forward",
      metadata: {
        reason: "network",
        detail: "ECONNREFUSED",
        attempt: 3,
        eventId,
        eventType: "resource.created",
      },
    });
    expect(text).toBe(
      [
        "2027-01-15 08:00:00Z FAIL delivery.failed network ECONNREFUSED forward attempt=3",
        `    ${eventId} resource.created`,
      ].join("\n"),
    );
    const long = plain({
      metadata: { eventId: "i".repeat(256), reason: "r".repeat(70), ip: "::1" },
    });
    const widths = long.split("\n").map(({ length }) => length);
    expect(Math.max(...widths)).toBeLessThanOrEqual(80);
    expect(long).toContain("...");
    expect(
      plain({
        result: "failure",
        metadata: { reason: "stale_timestamp", skewSeconds: 3600 },
      }),
    ).toContain("stale_timestamp skew=3600s");
  });
});

describe("the trail of a service", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let service: TestService;

  beforeEach(async () => {
    folder = temporaryFolder();
    service = await startTestService(folder.path);
  });

  afterEach(async () => {
    await service.stop();
  });

  it("goes to stdout from the store, in order, each line once, and chains over restarts by heads", async () => {
    for (let n = 0; n < 30; n += 1) {
      const body = eventBody(`evt_${n}`);
      await service.post(body, n % 3 === 0 ? {} : signed(body));
    }
    await service.stop();
    const first = await service.entries();
    const printed = service.stdout.text.trimEnd().split("\n");

    expect(printed.every((line) => line.startsWith("[AUDIT] {"))).toBe(true);
    expect(
      printed.map((line) => parseEntry(line.slice("[AUDIT] ".length))),
    ).toEqual(first);
    expect(first[0]).toMatchObject({
      action: "server.started",
      userId: "system",
      chain: { seq: 1, prev: GENESIS },
      metadata: { heads: [] },
    });
    const last = first.at(-1)!;
    expect(last).toMatchObject({ action: "audit.checkpoint" });
    expect(first.at(-2)).toMatchObject({
      action: "server.stopped",
      metadata: { reason: "test" },
    });

    service = await startTestService(folder.path, {
      env: { AUDIT_STDOUT: "json" },
    });
    await service.stop();
    const [started] = service.stdout.text.split("\n");
    expect(JSON.parse(started!)).toMatchObject({
      action: "server.started",
      chain: { seq: 1 },
      metadata: {
        heads: [
          { writer: last.chain.writer, seq: last.chain.seq, hash: last.hash },
        ],
      },
    });
    expect(service.stdout.text.split("\n")).toHaveLength(5);
  });

  it("is not on stdout when that is off, and is in the store all the same", async () => {
    await service.stop();
    service = await startTestService(folder.path, {
      env: { AUDIT_STDOUT: "off" },
    });
    await service.post(eventBody("evt_1"));
    await service.stop();
    expect(service.stdout.text).toBe("");
    expect((await service.entries()).length).toBeGreaterThan(3);
  });

  it("that somebody edits, shortens or empties does not verify any more", async () => {
    await service.post(eventBody("evt_1"));
    await service.stop();
    const file = path.join(folder.path, "hexhook.db");
    const tamper = (sql: string): void => {
      const db = openFile(file);
      db.exec(sql);
      db.close();
    };
    const last = (await service.entries()).at(-1)!;
    tamper(
      "DELETE FROM audit_entry WHERE position = (SELECT max(position) FROM audit_entry)",
    );
    await expect(service.entries()).rejects.toThrow(
      `"seq":${last.chain.seq},"what":"cut off"`,
    );
    tamper(
      "UPDATE audit_entry SET line = replace(line, 'evt_1', 'evt_2') WHERE line LIKE '%evt_1%'",
    );
    await expect(service.entries()).rejects.toThrow('"what":"edited"');
    tamper("DELETE FROM audit_entry");
    await expect(service.entries()).rejects.toThrow(
      '"what":"gone with all its entries"',
    );
    tamper("DELETE FROM audit_writer");
    expect(await service.entries()).toEqual([]);
  });

  it("that lost a whole writer, or the head of one, does not verify either", async () => {
    await service.stop();
    service = await startTestService(folder.path);
    await service.stop();
    const file = path.join(folder.path, "hexhook.db");
    const [{ chain }] = (await service.entries()) as [ParsedEntry];
    const db = openFile(file);
    db.prepare<[string]>("DELETE FROM audit_writer WHERE writer = ?").run(
      chain.writer,
    );
    await expect(service.entries()).rejects.toThrow(
      '"what":"without a head in the store"',
    );
    db.prepare<[string]>("DELETE FROM audit_entry WHERE writer = ?").run(
      chain.writer,
    );
    db.close();
    await expect(service.entries()).rejects.toThrow(
      '"what":"gone with all its entries"',
    );
  });

  it("holds no secret, signature, body or credential, nor do stdout, log and answers", async () => {
    const body = Buffer.from(
      JSON.stringify({ id: "evt_s", type: "t", data: "body-geheim" }),
    );
    const signature = signed(body);
    const headers = {
      ...signature,
      authorization: "Bearer credential-geheim",
      cookie: "session=cookie-geheim",
    };
    const answers = [
      await service.post(body, headers),
      await service.post(body, headers),
      await service.post(body, signed(body, { secret: OTHER_SECRET })),
      await service.post(body, signed(body, { at: 0 })),
      await service.post(
        Buffer.from("body-geheim"),
        signed(Buffer.from("body-geheim")),
      ),
    ];
    await service.stop();

    const everything = [
      service.stdout.text,
      service.log.text,
      JSON.stringify(await service.entries()),
      ...answers.map(({ text }) => text),
    ].join("\n");
    expect(everything).toContain("evt_s");
    expect(everything).not.toContain("geheim");
    expect(everything).not.toContain(SECRET);
    expect(everything.toLowerCase()).not.toContain(
      signature["x-hex-signature"],
    );
  });
});
