import { describe, expect, it } from "@jest/globals";
import { createHash } from "node:crypto";
import { AuditChain } from "../../../src/audit/chain.ts";
import { parseEntry } from "../../../src/audit/parsed-entry.ts";
import { serverStarted } from "../../../src/audit/server-entries.ts";
import { asciiJson } from "../../../src/json/ascii.ts";
import { CHECKPOINTS, testSource } from "../../support/fixtures.ts";
import { draft } from "../../support/trails.ts";

/** A trail of `count` entries of one writer. */
function trailOf(writer: string, count: number): string[] {
  const chain = new AuditChain(writer, CHECKPOINTS);
  return Array.from({ length: count }, (_, n) => chain.append(draft(n)).line);
}

describe("an entry", () => {
  it("has exactly the specified members in order, and the hash of the line without the hash", () => {
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

  it("is one line of printable ASCII for any text of a sender", () => {
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

  it("names in server.started the newest heads that fit, and the number of the others", () => {
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
      sources: [testSource({ secrets: [] })],
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
