import { beforeAll, describe, expect, it } from "@jest/globals";
import { createHmac } from "node:crypto";
import type { Environment } from "../../../src/config/load-config.ts";
import { startDestination, reply } from "../../support/destinations.ts";
import { eventually } from "../../support/eventually.ts";
import { eventBody, SECRET, signed } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { type Listening, startListen } from "../../support/listen.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;
let hex: Listening;

beforeAll(async () => {
  folder = temporaryFolder();
  const env = { HEX_SECRET: SECRET, TRUST_PROXY: "1" };
  hex = await startListen(folder.path, [], env);
});

const run = (args: readonly string[], env: Environment = {}) =>
  hexhook(args, { cwd: folder.path, env: { HEX_SECRET: SECRET, ...env } });

const post = (
  url: string,
  body: Buffer | string,
  headers: Record<string, string>,
) =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: new Uint8Array(Buffer.from(body)),
  });

/** The text after the line that begins with this, as soon as it is printed. */
const shownAfter = (listening: Listening, text: string): Promise<string> =>
  eventually(() => {
    const [, after] = listening.stdout().split(text);
    return after?.includes("\n\n") ? after : null;
  });

describe("hexhook listen", () => {
  it("shows a delivery, and responds as the service does", async () => {
    const args = ["send", "--url", hex.url, "--id", "evt_shown"];
    const { stdout, code } = await run([...args, "--repeat"]);
    expect(stdout).toMatch(
      /^1: evt_shown 200 accepted .*\n1: evt_shown 409 replayed/,
    );
    expect(code).toBe(0);
    const after = await shownAfter(
      hex,
      " ok   accepted hexhook.test evt_shown",
    );
    expect(after).toMatch(
      /^\n {4}POST \/webhooks\/hex from 127\.0\.0\.1, 50 bytes of application\/json, key\n? *[0-9a-f]{8}, skew \d s/,
    );
    expect(after).toContain(
      '\n    {\n      "id": "evt_shown",\n      "type": "hexhook.test",\n      "data": {}\n    }\n',
    );
    expect(after).toContain("x-hex-timestamp: ");
    expect(hex.stdout()).not.toContain("x-hex-signature");
    await shownAfter(hex, " FAIL replayed hexhook.test evt_shown");
  });

  it("says what is wrong with a delivery", async () => {
    const args = ["send", "--url", hex.url, "--id", "evt_wrong"];
    await run([...args, "--timestamp", "1700000000"]);
    const after = await shownAfter(hex, "FAIL stale_timestamp");
    expect(after).toMatch(/^\n.*\n( {8}.*\n)? {4}! /);
    expect(hex.stdout()).not.toContain(SECRET);
  });

  it("shows requests that reach no source", async () => {
    const response = await fetch(`${hex.url}/other`);
    expect(response.status).toBe(404);
    await eventually(() =>
      hex.stdout().includes("FAIL not_found GET /other 404\n"),
    );
  });

  it("shows hostile requests without an effect on the terminal", async () => {
    const id = "\u001b[2J\u0007\u202e\u2028";
    const body = Buffer.from(
      JSON.stringify({ id, type: "x", text: "\u009b1m" }),
    );
    const { status } = await post(`${hex.url}/webhooks/hex`, body, {
      ...signed(body),
      "x-note": "\u009b2J",
      "content-type": "application/json; a=\u009b2J",
    });
    expect(status).toBe(200);
    await post(`${hex.url}/webhooks/hex`, Buffer.from([0xff, 0x1b, 0x9b]), {});
    await eventually(() => hex.stdout().includes("missing_signature"));
    expect(hex.stdout().replaceAll("\n", "")).toMatch(
      /^[^\p{Cc}\p{Cf}\u2028]*$/u,
    );
  });

  it("shows the address of the sender behind a tunnel", async () => {
    const headers = { "x-forwarded-for": "203.0.113.9" };
    await post(`${hex.url}/webhooks/hex`, "{}", headers);
    await eventually(() => hex.stdout().includes("from 203.0.113.9"));
    expect(hex.stdout()).toContain("from 203.0.113.9");
  });

  it("recognises a retry, and an event id with another body", async () => {
    const url = `${hex.url}/webhooks/hex`;
    const body = eventBody("evt_again");
    const statuses = [];
    for (const [sent, seconds] of [
      [body, 0],
      [body, 1],
      [eventBody("evt_again", "other"), 2],
    ] as const) {
      const at = Date.now() - seconds * 1000;
      const { status } = await post(url, sent, signed(sent, { at }));
      statuses.push(status);
    }
    expect(statuses).toEqual([200, 200, 409]);
    await shownAfter(hex, "ok   duplicate resource.created evt_again");
    await shownAfter(hex, "FAIL conflict other evt_again");
  });

  it("forwards each new event in the format of destinations, and ends at SIGTERM", async () => {
    const destination = await startDestination(reply(204));
    const listening = await startListen(
      folder.path,
      ["--scheme", "github", "--forward", destination.url, "--json"],
      { GITHUB_SECRET: SECRET, FORWARD_SECRET: "x".repeat(10) + SECRET },
    );
    const body = '{"zen":"Keep it logically awesome."}';
    const mac = createHmac("sha256", SECRET).update(body).digest("hex");
    const headers = {
      "x-hub-signature-256": `sha256=${mac}`,
      "x-github-delivery": "72d3162e",
      "x-github-event": "ping",
    };
    const url = `${listening.url}/webhooks/github`;
    expect((await post(url, body, headers)).status).toBe(200);
    expect((await post(url, body, headers)).status).toBe(200);
    await eventually(() => listening.lines().length === 3);
    expect(destination.attempts).toHaveLength(1);
    const [attempt] = destination.attempts;
    expect(attempt?.body.toString()).toBe(body);
    expect(attempt?.headers).toMatchObject({
      "webhook-id": "72d3162e",
      "webhook-signature": expect.stringMatching(/^v1,/),
      "x-hexhook-source": "github",
      "x-hexhook-type": "ping",
    });
    const lines = listening.lines();
    const forwarded = lines.find((line) => "forwarded" in line);
    const received = lines.filter((line) => "verdict" in line);
    expect(forwarded).toMatchObject({ n: 1, forwarded: true });
    expect(received).toMatchObject([
      {
        n: 1,
        verdict: "accepted",
        id: "72d3162e",
        type: "ping",
        headers: { "x-github-event": "ping" },
        body: Buffer.from(body).toString("base64"),
      },
      { n: 2, verdict: "replayed", isGood: true },
    ]);
    expect(listening.stdout()).not.toContain(mac);

    await destination.close();
    await post(url, `${body} `, {
      ...headers,
      "x-hub-signature-256": `sha256=${createHmac("sha256", SECRET).update(`${body} `).digest("hex")}`,
    });
    await eventually(() =>
      listening.lines().some((line) => line["forwarded"] === false),
    );
    expect(await listening.end("SIGTERM")).toBe(0);
    expect(listening.stderr()).toContain("Received 3 requests.\n");
  });

  it("shows the token of Notion, verifies with it from then on, and ends at SIGINT", async () => {
    const listening = await startListen(
      folder.path,
      ["--scheme", "notion"],
      {},
    );
    const url = `${listening.url}/webhooks/notion`;
    const token = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl";
    const first = await post(url, `{"verification_token":"${token}"}`, {});
    expect(first.status).toBe(200);
    const after = await shownAfter(listening, " ok   handshake");
    expect(after).toMatch(
      new RegExp(`! the verification token of notion is:\\s+${token}\n`),
    );

    const body = '{"id":"367cba44","type":"page.created"}';
    const mac = createHmac("sha256", token).update(body).digest("hex");
    const event = await post(url, body, {
      "x-notion-signature": `sha256=${mac}`,
    });
    expect(event.status).toBe(200);
    // A stranger cannot replace the secret.
    await post(url, '{"verification_token":"secret_of_a_stranger"}', {});
    const forged = createHmac("sha256", "secret_of_a_stranger")
      .update(body)
      .digest("hex");
    const second = await post(url, body, {
      "x-notion-signature": `sha256=${forged}`,
    });
    expect(second.status).toBe(401);
    expect(await listening.end("SIGINT")).toBe(0);
  });

  it.each<[string, string[], Environment, number, RegExp]>([
    [
      "no secret",
      ["--scheme", "github"],
      {},
      78,
      /^hexhook: GITHUB_SECRET: is not set; set it to the secret that the sender shows for its webhook, or name its file in GITHUB_SECRET_FILE\n$/,
    ],
    [
      "a secret of another form",
      ["--scheme", "clerk"],
      { CLERK_SECRET: "whsec_!!!" },
      78,
      /^hexhook: CLERK_SECRET: must be base64, optionally after whsec_/,
    ],
    [
      "an unknown scheme",
      ["--scheme", "gihtub"],
      {},
      64,
      /there is no scheme "gihtub"; did you mean github\?/,
    ],
    [
      "a scheme without a fixed format",
      ["--scheme", "custom"],
      {},
      64,
      /custom has no fixed format; describe it in HEXHOOK_CONFIG/,
    ],
    [
      "a URL without a scheme",
      ["--url", "https://x.example"],
      {},
      64,
      /--url belongs to --scheme/,
    ],
    [
      "a wrong URL to forward to",
      ["--forward", "localhost:8080"],
      {},
      64,
      /--forward must be an http/,
    ],
  ])("says what to do for %s", async (_what, args, env, code, message) => {
    const result = await run(["listen", ...args], env);
    expect(result.code).toBe(code);
    expect(result.stderr).toMatch(message);
  });

  it("says that its port is in use", async () => {
    const port = new URL(hex.url).port;
    const { code, stderr } = await run(["listen", "--port", port]);
    expect(code).toBe(78);
    expect(stderr).toMatch(/^hexhook: --port: cannot listen .*EADDRINUSE/);
  });
});
