import { beforeAll, describe, expect, it } from "@jest/globals";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { keyIdOf } from "../../../src/domain/key-id.ts";
import { exchangeRaw } from "../../support/exchange-raw.ts";
import { TODAY } from "../../support/fixtures.ts";
import { readColumn } from "../../support/store-file.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

/* The handshakes, as the documentation of the providers has them. The signatures are made without this product's code. */

const SENDERS = ["slack", "zoom", "twitch", "intercom", "notion"] as const;
const secretOf = (sender: string): string =>
  `${sender}-secret-0123456789abcdef`;
const VERIFY_TOKEN = "a-verify-token-0123456789";
const JSON_TYPE = { "content-type": "application/json" };

const discord = generateKeyPairSync("ed25519");
const DISCORD_KEY = discord.publicKey
  .export({ format: "der", type: "spki" })
  .subarray(-32)
  .toString("hex");

let folder: ReturnType<typeof temporaryFolder>;
let service: TestService;
let entriesBefore: number;

beforeAll(async () => {
  folder = temporaryFolder();
  const file = path.join(folder.path, "hexhook.yaml");
  const entryOf = (name: string, more = "") =>
    `  ${name}: { scheme: ${name}, secrets: [{ env: ${name.toUpperCase()}, createdAt: "${TODAY}" }]${more} }\n`;
  writeFileSync(
    file,
    `sources:\n${[
      ...SENDERS.map((name) => entryOf(name)),
      entryOf("woocommerce"),
      entryOf("discord"),
      entryOf("meta", ", handshake: { verifyToken: { env: META_TOKEN } }"),
    ].join("")}  meta-2: { scheme: meta, secrets: [{ env: META_2 }] }\n`,
  );
  service = await startTestService(folder.path, {
    env: {
      HEXHOOK_CONFIG: file,
      ...Object.fromEntries(
        [...SENDERS, "woocommerce", "meta"].map((name) => [
          name.toUpperCase(),
          secretOf(name),
        ]),
      ),
      META_2: secretOf("meta-2"),
      DISCORD: DISCORD_KEY,
      META_TOKEN: VERIFY_TOKEN,
    },
  });
});

const hmac = (sender: string, ...parts: readonly string[]): string =>
  createHmac("sha256", secretOf(sender)).update(parts.join("")).digest("hex");

const seconds = (): string => String(Math.floor(Date.now() / 1000));

const SIGN = {
  slack: (body: string, at = seconds()) => ({
    "x-slack-request-timestamp": at,
    "x-slack-signature": `v0=${hmac("slack", `v0:${at}:`, body)}`,
  }),
  zoom: (body: string, at = seconds()) => ({
    "x-zm-request-timestamp": at,
    "x-zm-signature": `v0=${hmac("zoom", `v0:${at}:`, body)}`,
  }),
  discord: (body: string, at = seconds()) => ({
    "x-signature-timestamp": at,
    "x-signature-ed25519": sign(
      null,
      Buffer.from(`${at}${body}`),
      discord.privateKey,
    ).toString("hex"),
  }),
  twitch: (body: string, at = new Date().toISOString()) => ({
    "twitch-eventsub-message-id": "e76c6bd4-55c9-4987-8304-da1588d8988b",
    "twitch-eventsub-message-timestamp": at,
    "twitch-eventsub-message-type": "webhook_callback_verification",
    "twitch-eventsub-message-signature": `sha256=${hmac("twitch", "e76c6bd4-55c9-4987-8304-da1588d8988b", at, body)}`,
  }),
};

/** Sends a request and returns what a provider sees of the response. */
async function request(target: string, init: RequestInit = {}) {
  entriesBefore = (await service.entries()).length;
  const response = await fetch(`${service.url}/webhooks/${target}`, init);
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    text: await response.text(),
  };
}

const post = (
  sender: keyof typeof SIGN,
  value: object,
  sign: (body: string) => Record<string, string> = SIGN[sender],
) => {
  const body = JSON.stringify(value);
  return request(sender, {
    method: "POST",
    headers: { ...JSON_TYPE, ...sign(body) },
    body,
  });
};

/** Returns the audit entry of the last request. Also checks that nothing else was stored. */
async function entry() {
  const file = path.join(folder.path, "hexhook.db");
  expect(readColumn(file, "SELECT count(*) FROM event")).toEqual([0]);
  expect(readColumn(file, "SELECT count(*) FROM replay_claim")).toEqual([0]);
  const entries = (await service.entries())
    .slice(entriesBefore)
    .filter(({ action }) => /^(?:webhook|http)\./.test(action));
  expect(entries).toHaveLength(1);
  return entries[0];
}

async function expectHandshake(sender: string, isVerified: boolean) {
  const found = await entry();
  expect(found).toMatchObject({
    action: "webhook.handshake",
    result: "success",
    userId: isVerified ? `source:${sender}` : "anonymous",
    resource: `/webhooks/${sender}`,
  });
  // No digest of a body: that of Notion is a secret.
  expect(Object.keys(found?.metadata ?? {})).toEqual([
    "requestId",
    "source",
    "scheme",
    "ip",
    ...(isVerified ? ["keyId"] : []),
    "status",
    ...(isVerified && sender !== "meta" ? ["skewSeconds"] : []),
  ]);
  return found;
}

describe("slack", () => {
  const CHECK = {
    token: "Jhj5dZrVaK7ZwHHjRyZWjbDl",
    challenge: "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
    type: "url_verification",
  };

  it("gets the challenge of a signed url_verification", async () => {
    expect(await post("slack", CHECK)).toEqual({
      status: 200,
      type: "text/plain",
      text: CHECK.challenge,
    });
    await expectHandshake("slack", true);
  });

  it("gets the challenge whatever the Content-Type, which is not signed", async () => {
    const answer = await post("slack", CHECK, (body) => ({
      ...SIGN.slack(body),
      "content-type": "application/x-www-form-urlencoded",
    }));
    expect(answer.text).toBe(CHECK.challenge);
    await expectHandshake("slack", true);
  });

  it.each<[string, (body: string) => Record<string, string>, string]>([
    ["unsigned", () => ({}), "missing_signature"],
    ["forged", (body) => SIGN.slack(`${body} `), "bad_signature"],
    ["stale", (body) => SIGN.slack(body, "1531420618"), "stale_timestamp"],
  ])("gets no challenge if it is %s", async (_what, sign, reason) => {
    const answer = await post("slack", CHECK, sign);
    expect(answer.status).toBe(401);
    expect(answer.text).not.toContain(CHECK.challenge);
    expect((await entry())?.metadata).toMatchObject({ reason });
  });

  it.each([
    ["missing", undefined],
    ["an object", { a: 1 }],
    ["a number", 1],
    ["not only visible characters", "a\r\nset-cookie: a=b"],
    ["markup that is too long", "<b>".repeat(100)],
  ])("gets 400 if the challenge is %s", async (_what, challenge) => {
    expect((await post("slack", { ...CHECK, challenge })).status).toBe(400);
    expect((await entry())?.metadata).toMatchObject({
      reason: "malformed_handshake",
    });
  });
});

describe("zoom", () => {
  const check = (plainToken: unknown) => ({
    payload: { plainToken },
    event_ts: 1_654_503_849_680,
    event: "endpoint.url_validation",
  });

  it("gets the token of a signed url_validation, and its HMAC", async () => {
    const plainToken = "qgg8vlvZRS6UYooatFL8Aw";
    const answer = await post("zoom", check(plainToken));
    expect(answer).toMatchObject({ status: 200, type: "application/json" });
    expect(JSON.parse(answer.text)).toEqual({
      plainToken,
      encryptedToken: hmac("zoom", plainToken),
    });
    await expectHandshake("zoom", true);
  });

  it("gets 401 without a valid signature", async () => {
    const answer = await post("zoom", check("abc"), () => SIGN.zoom("{}"));
    expect(answer.status).toBe(401);
    await entry();
  });

  it("gets no HMAC of the signed bytes of a message", async () => {
    const answer = await post("zoom", check(`v0:${seconds()}:{}`));
    expect(answer.status).toBe(400);
    await entry();
  });
});

describe("discord", () => {
  it("gets its PING of interactions back", async () => {
    const answer = await post("discord", {
      application_id: "1",
      id: "2",
      token: "t",
      type: 1,
      version: 1,
    });
    expect(answer).toEqual({
      status: 200,
      type: "application/json",
      text: '{"type":1}',
    });
    await expectHandshake("discord", true);
  });

  it("gets 204 with a media type for the PING of webhook events", async () => {
    const ping = { version: 1, application_id: "1", type: 0 };
    expect(await post("discord", ping)).toEqual({
      status: 204,
      type: "application/json",
      text: "",
    });
    await expectHandshake("discord", true);
  });

  it("gets 400 for other interactions, because they need a response of the application", async () => {
    const command = { id: "2", type: 2, data: { name: "deploy" } };
    expect((await post("discord", command)).status).toBe(400);
    expect((await entry())?.metadata).toMatchObject({ reason: "interaction" });
  });

  it("gets 401 for a PING with a wrong signature", async () => {
    const answer = await post("discord", { type: 1 }, () => SIGN.discord("{}"));
    expect(answer.status).toBe(401);
    await entry();
  });
});

describe("twitch", () => {
  const CHECK = {
    challenge: "pogchamp-kappa-360noscope-vohiyo",
    subscription: { status: "webhook_callback_verification_pending" },
  };

  it("gets only the challenge of a signed verification", async () => {
    expect(await post("twitch", CHECK)).toEqual({
      status: 200,
      type: "text/plain",
      text: CHECK.challenge,
    });
    await expectHandshake("twitch", true);
  });

  it("decides by the body, because the header with the kind of message is not signed", async () => {
    const answer = await post("twitch", CHECK, (body) => ({
      ...SIGN.twitch(body),
      "twitch-eventsub-message-type": "notification",
    }));
    expect(answer.text).toBe(CHECK.challenge);
    await expectHandshake("twitch", true);
  });

  it("gets 401 without a valid signature", async () => {
    const answer = await post("twitch", CHECK, () => SIGN.twitch("{}"));
    expect(answer.status).toBe(401);
    await entry();
  });
});

describe("meta", () => {
  const query = (changes: Record<string, string> = {}): string =>
    `meta?${new URLSearchParams({
      "hub.mode": "subscribe",
      "hub.challenge": "1158201444",
      "hub.verify_token": VERIFY_TOKEN,
      ...changes,
    }).toString()}`;

  it("gets the challenge of a GET request with the verify token", async () => {
    expect(await request(query())).toEqual({
      status: 200,
      type: "text/plain",
      text: "1158201444",
    });
    const { metadata } = (await expectHandshake("meta", true)) ?? {};
    expect(metadata?.["keyId"]).toBe(keyIdOf(VERIFY_TOKEN));
  });

  it.each([
    [query({ "hub.verify_token": "another" }), "bad_verify_token"],
    [query({ "hub.verify_token": "" }), "bad_verify_token"],
    ["meta?hub.challenge=1158201444", "bad_verify_token"],
    ["meta", "bad_verify_token"],
    [query({ "hub.mode": "unsubscribe" }), "malformed_handshake"],
    [query({ "hub.challenge": "" }), "malformed_handshake"],
    [query({ "hub.challenge": "a b" }), "malformed_handshake"],
    [query().replace("meta", "meta-2"), "no_verify_token"],
  ])("gets 401 without an echo for GET %s", async (target, reason) => {
    const answer = await request(target);
    expect(answer.status).toBe(401);
    expect(answer.text).not.toContain("1158201444");
    const found = await entry();
    expect(found).toMatchObject({ action: "webhook.rejected" });
    expect(found?.metadata).toMatchObject({ reason });
    expect(JSON.stringify(found)).not.toContain(VERIFY_TOKEN);
  });

  it("has GET in Allow, and only GET besides POST", async () => {
    const answer = await service.request("/webhooks/meta", { method: "PUT" });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("GET, POST");
  });
});

describe("intercom", () => {
  it("gets 200 without a body for HEAD, and 401 for an unsigned POST", async () => {
    const empty = { status: 200, type: null, text: "" };
    expect(await request("intercom", { method: "HEAD" })).toEqual(empty);
    await expectHandshake("intercom", false);

    const init = { method: "POST", headers: JSON_TYPE, body: "{}" };
    expect((await request("intercom", init)).status).toBe(401);
    await entry();
  });
});

describe("woocommerce", () => {
  const ping = (body: string): string =>
    [
      "POST /webhooks/woocommerce HTTP/1.0",
      "Host: hooks.example.com",
      "User-Agent: WooCommerce/9.4.2 Hookshot (WordPress/6.7)",
      "Content-Type: application/x-www-form-urlencoded; charset=UTF-8",
      `Content-Length: ${body.length}`,
      "",
      body,
    ].join("\r\n");

  it("gets 200 for the ping in HTTP/1.0, and the connection closes", async () => {
    entriesBefore = (await service.entries()).length;
    // Ends only when the service closes the connection.
    const text = await exchangeRaw(service.port, ping("webhook_id=42"));
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).toMatch(/\r\n\r\n$/);
    await expectHandshake("woocommerce", false);
  });

  it.each([
    ["two fields", "webhook_id=42&x=1"],
    ["no number", "webhook_id="],
    ["letters", "webhook_id=1a"],
    ["a number that is too long", `webhook_id=${"1".repeat(1024)}`],
    ["nothing", ""],
  ])("gets 401 for another form: %s", async (_what, body) => {
    entriesBefore = (await service.entries()).length;
    const text = await exchangeRaw(service.port, ping(body));
    expect(text).toMatch(/^HTTP\/1\.1 401 /);
    await entry();
  });
});

describe("notion", () => {
  const TOKEN = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl";
  const send = (value: object, headers: Record<string, string> = {}) =>
    request("notion", {
      method: "POST",
      headers: { ...JSON_TYPE, ...headers },
      body: JSON.stringify(value),
    });

  it.each([
    ["without a signature", {}],
    ["with any signature", { "x-notion-signature": "sha256=00" }],
  ])("gets 200 for its verification token, %s", async (_what, headers) => {
    const answer = await send({ verification_token: TOKEN }, headers);
    expect(answer).toEqual({ status: 200, type: null, text: "" });
    await expectHandshake("notion", false);
    const written = `${service.stdout.text}${service.log.text}${JSON.stringify(await service.entries())}`;
    expect(written).not.toContain(TOKEN);
  });

  it.each([
    ["no text", { verification_token: 1 }],
    ["in an event", { verification_token: TOKEN, id: "1", type: "a" }],
    ["in a large body", { verification_token: TOKEN, more: "x".repeat(1024) }],
    ["nested", { data: { verification_token: TOKEN } }],
  ])("gets 401 if the token is %s", async (_what, value) => {
    expect((await send(value)).status).toBe(401);
    await entry();
  });
});
