import { beforeEach, describe, expect, it } from "@jest/globals";
import path from "node:path";
import { GENESIS } from "../../src/audit/chain.ts";
import { type ParsedEntry, parseEntry } from "../../src/audit/parsed-entry.ts";
import {
  eventBody,
  OTHER_SECRET,
  SECRET,
  signed,
} from "../support/fixtures.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { openFile } from "../support/store-file.ts";

describe("the trail of a service", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let service: TestService;

  beforeEach(async () => {
    folder = temporaryFolder();
    service = await startTestService(folder.path);
  });

  it("is printed from the store in order, each line once, and is chained across restarts by heads", async () => {
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

  it("is in the store even if stdout is off", async () => {
    await service.stop();
    service = await startTestService(folder.path, {
      env: { AUDIT_STDOUT: "off" },
    });
    await service.post(eventBody("evt_1"));
    await service.stop();
    expect(service.stdout.text).toBe("");
    expect((await service.entries()).length).toBeGreaterThan(3);
  });

  it("no longer verifies after it was edited, shortened or emptied", async () => {
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
      `"code":"cut_off","writer":"${last.chain.writer}","seq":${last.chain.seq}`,
    );
    tamper(
      "UPDATE audit_entry SET line = replace(line, 'evt_1', 'evt_2') WHERE line LIKE '%evt_1%'",
    );
    await expect(service.entries()).rejects.toThrow('"code":"edited"');
    tamper("DELETE FROM audit_entry");
    await expect(service.entries()).rejects.toThrow('"code":"writer_gone"');
    tamper("DELETE FROM audit_writer");
    expect(await service.entries()).toEqual([]);
  });

  it("no longer verifies after a complete writer, or the head of one, was deleted", async () => {
    await service.stop();
    service = await startTestService(folder.path);
    await service.stop();
    const file = path.join(folder.path, "hexhook.db");
    const [{ chain }] = (await service.entries()) as [ParsedEntry];
    const db = openFile(file);
    db.prepare<[string]>("DELETE FROM audit_writer WHERE writer = ?").run(
      chain.writer,
    );
    await expect(service.entries()).rejects.toThrow('"code":"unknown_writer"');
    db.prepare<[string]>("DELETE FROM audit_entry WHERE writer = ?").run(
      chain.writer,
    );
    db.close();
    await expect(service.entries()).rejects.toThrow('"code":"writer_gone"');
  });

  it("contains no secret, signature, body or credential, nor do stdout, log and responses", async () => {
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
