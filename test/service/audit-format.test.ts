import { beforeAll, describe, expect, it } from "@jest/globals";
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  verify,
} from "node:crypto";
import path from "node:path";
import { eventually } from "../support/eventually.ts";
import {
  eventBody,
  OTHER_SECRET,
  SECRET,
  signed,
} from "../support/fixtures.ts";
import { type Call, startHexApi } from "../support/hex-api.ts";
import { startTestService } from "../support/service.ts";
import { readColumn } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/*
 * Checks the trail against its documented format, with node:crypto over the raw lines. None of the code that writes or
 * verifies it is used here.
 */

interface Line {
  readonly timestamp: string;
  readonly action: string;
  readonly userId: string;
  readonly metadata: Record<string, unknown>;
  readonly chain: { writer: string; seq: number; prev: string };
  readonly hash: string;
}

const HASH_MEMBER = /,"hash":"([0-9a-f]{64})"\}$/;
const sha256 = (text: string | Buffer): string =>
  createHash("sha256").update(text).digest("hex");

const BODY = eventBody("evt_1");
const key = generateKeyPairSync("ed25519");

let lines: string[];
let entries: Line[];
let printed: string;
let calls: Call[];

beforeAll(async () => {
  const folder = temporaryFolder().path;
  const api = await startHexApi();
  const env = {
    HEX_SECRET_PREVIOUS: OTHER_SECRET,
    HEX_SECRET_PREVIOUS_EXPIRES_AT: "2999-01-01",
    AUDIT_SIGNING_KEY: key.privateKey
      .export({ type: "pkcs8", format: "pem" })
      .toString(),
    HEX_API_URL: api.url,
    HEX_WRITE_KEY: "write-key-0123456789abcdef",
  };
  const first = await startTestService(folder, { env });
  await first.post(BODY);
  const old = eventBody("evt_2");
  await first.post(old, signed(old, { secret: OTHER_SECRET }));
  await first.post(BODY, signed(old, { secret: "x".repeat(30) }));
  await first.stop();
  const second = await startTestService(folder, { env });
  const odd = eventBody('evt_"\u2028\u0000\ud83d\ude00"');
  await second.post(odd);
  await second.stop();

  const file = path.join(folder, "hexhook.db");
  lines = readColumn(
    file,
    "SELECT line FROM audit_entry ORDER BY position",
  ) as string[];
  entries = lines.map((line) => JSON.parse(line) as Line);
  printed = first.stdout.text + second.stdout.text;
  await eventually(() => api.entries.length >= 8);
  ({ calls } = api);
});

const ofAction = (action: string): Line[] =>
  entries.filter((entry) => entry.action === action);

describe("an entry", () => {
  it("is one line of ASCII with its members in the specified order", () => {
    expect(lines.length).toBeGreaterThan(8);
    for (const [n, line] of lines.entries()) {
      expect(line).toMatch(/^[\x20-\x7e]{1,8192}$/);
      expect(Object.keys(entries[n]!)).toEqual([
        "timestamp",
        "action",
        "userId",
        "resource",
        "result",
        "metadata",
        "chain",
        "hash",
      ]);
      expect(Object.keys(entries[n]!.chain)).toEqual(["writer", "seq", "prev"]);
      expect(line).toMatch(HASH_MEMBER);
      const { timestamp } = entries[n]!;
      expect(new Date(timestamp).toISOString()).toBe(timestamp);
    }
  });

  it("has the SHA-256 of its line without the hash, and the hash of the entry before it", () => {
    const heads = new Map<string, { seq: number; hash: string }>();
    for (const line of lines) {
      const { chain, hash } = JSON.parse(line) as Line;
      expect(hash).toBe(sha256(line.replace(HASH_MEMBER, "}")));
      const head = heads.get(chain.writer);
      expect(chain.seq).toBe((head?.seq ?? 0) + 1);
      expect(chain.prev).toBe(head?.hash ?? "0".repeat(64));
      heads.set(chain.writer, { seq: chain.seq, hash });
    }
    expect(heads.size).toBe(2);
  });

  it("is printed after [AUDIT] exactly as it is stored, in order", () => {
    // A line may be printed more than once.
    const once = new Set(printed.split("\n").filter((line) => line !== ""));
    expect([...once]).toEqual(lines.map((line) => `[AUDIT] ${line}`));
  });
});

describe("server.started", () => {
  it("names the last entry of the writer before it, and the key of the checkpoints", () => {
    const [first, second] = ofAction("server.started");
    const { writer } = first!.chain;
    const last = entries.findLast((entry) => entry.chain.writer === writer)!;
    expect(first!.metadata["heads"]).toEqual([]);
    expect(second!.metadata["heads"]).toEqual([
      { writer, seq: last.chain.seq, hash: last.hash },
    ]);
    expect(second!.chain.writer).not.toBe(writer);
    expect(second!.metadata["publicKey"]).toBe(
      key.publicKey.export({ type: "spki", format: "der" }).toString("base64"),
    );
  });
});

describe("a checkpoint", () => {
  it("has an Ed25519 signature over writer, seq and the hash of the entry before it", () => {
    const checkpoints = ofAction("audit.checkpoint");
    expect(checkpoints.length).toBeGreaterThanOrEqual(4);
    for (const { chain, metadata, userId } of checkpoints) {
      expect(userId).toBe("system");
      const { publicKey, signature } = metadata;
      const spki = createPublicKey({
        key: Buffer.from(String(publicKey), "base64"),
        format: "der",
        type: "spki",
      });
      expect(spki.equals(key.publicKey)).toBe(true);
      const signedText = (seq: number): Buffer =>
        Buffer.from(`${chain.writer}:${seq}:${chain.prev}`);
      const bytes = Buffer.from(String(signature), "base64");
      expect(bytes.toString("base64")).toBe(signature);
      expect(verify(null, signedText(chain.seq), spki, bytes)).toBe(true);
      expect(verify(null, signedText(chain.seq + 1), spki, bytes)).toBe(false);
    }
    // The second entry of each run and its last one.
    for (const { chain } of ofAction("server.started")) {
      const run = entries.filter((one) => one.chain.writer === chain.writer);
      expect(run[1]?.action).toBe("audit.checkpoint");
      expect(run.at(-1)?.action).toBe("audit.checkpoint");
    }
  });
});

describe("an entry of a delivery", () => {
  it("names the secret by the first 8 hex digits of SHA-256 over hexhook-key-id: and the secret", () => {
    // Computed with openssl: printf 'hexhook-key-id:SECRET' | openssl dgst -sha256
    const ids = { [SECRET]: "ad98de32", [OTHER_SECRET]: "d71fc418" };
    for (const [secret, id] of Object.entries(ids)) {
      expect(sha256(`hexhook-key-id:${secret}`).slice(0, 8)).toBe(id);
    }
    const used = ofAction("webhook.accepted").map(({ metadata }) => [
      metadata["eventId"],
      metadata["keyId"],
    ]);
    expect(used.slice(0, 2)).toEqual([
      ["evt_1", "ad98de32"],
      ["evt_2", "d71fc418"],
    ]);
    expect(ofAction("server.started")[0]?.metadata["sources"]).toEqual([
      { name: "hex", scheme: "hex", keyIds: ["ad98de32", "d71fc418"] },
    ]);
  });

  it("has the SHA-256 and the length of the body, whether it is accepted or rejected", () => {
    const [accepted] = ofAction("webhook.accepted");
    const [rejected] = ofAction("webhook.rejected");
    for (const entry of [accepted, rejected]) {
      expect(entry?.metadata).toMatchObject({
        bodySha256: sha256(BODY),
        bodyBytes: BODY.length,
      });
    }
    expect(rejected?.metadata).not.toHaveProperty("eventId");
  });
});

describe("a call of Hex analytics", () => {
  it("has WRITER:SEQ of its first entry as its Idempotency-Key, and the unchanged entries", () => {
    const sent = calls.filter(({ method }) => method === "POST");
    expect(sent.length).toBeGreaterThan(0);
    const stored = new Map(
      entries.map((entry) => [
        `${entry.chain.writer}:${entry.chain.seq}`,
        entry,
      ]),
    );
    for (const { path: route, key: bearer, idempotencyKey, body } of sent) {
      expect(route).toBe("/v1/track");
      expect(bearer).toBe("Bearer write-key-0123456789abcdef");
      const tracked = [JSON.parse(body) as unknown].flat() as {
        event: string;
        properties: Line;
      }[];
      const { chain } = tracked[0]!.properties;
      expect(idempotencyKey).toBe(`${chain.writer}:${chain.seq}`);
      for (const { event, properties } of tracked) {
        expect(event).toBe("audit");
        const { writer, seq } = properties.chain;
        expect(properties).toEqual(stored.get(`${writer}:${seq}`));
      }
    }
  });
});
