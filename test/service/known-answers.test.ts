import { beforeAll, describe, expect, it } from "@jest/globals";
import { createHash, createHmac } from "node:crypto";
import { hexhook } from "../support/hexhook.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/*
 * Tests with signatures that this product did not make. The constants below come from `openssl dgst -sha256 -hmac KEY` and
 * from Python's hmac module. All other signatures in this file are made with node:crypto directly.
 */

const KEY = "test-signing-secret-0123456789abcdef";
const AT = 1_800_000_000;
const BODY = Buffer.from('{"id":"evt_1","type":"t"}');
const HEX = "4f431fb07205d14aa652ab1371d7cb11be428653b92834e29d1688c6652abde6";
const HEX_BODY =
  "6720645266ead725761689fd264db44fcede048454797456124ff6a957e7dfd0";

const JSON_TYPE = { "content-type": "application/json" };

type Signed = Record<string, string>;

const hexHeaders = (signature: string, timestamp = String(AT)): Signed => ({
  ...JSON_TYPE,
  "x-hex-timestamp": timestamp,
  "x-hex-signature": signature,
});

const bodyHeaders = (signature: string): Signed => ({
  ...JSON_TYPE,
  "x-hex-signature": signature,
});

function hmac(
  algorithm: string,
  key: string | Buffer,
  ...parts: (string | Buffer)[]
): string {
  const mac = createHmac(algorithm, key);
  for (const part of parts) {
    mac.update(part);
  }
  return mac.digest("hex");
}

const startWith = (env: Record<string, string>): Promise<TestService> =>
  startTestService(temporaryFolder().path, {
    env: { HEX_SECRET: KEY, ...env },
    deps: { now: () => AT * 1000 },
  });

describe("a signature made by openssl", () => {
  it.each([
    ["hex", hexHeaders(HEX)],
    ["hex-body", bodyHeaders(HEX_BODY)],
  ])("is accepted under the scheme %s", async (scheme, headers) => {
    const service = await startWith({ HEX_SIGNATURE_SCHEME: scheme });
    const answer = await service.post(BODY, headers);
    expect(answer).toMatchObject({
      status: 200,
      json: { received: true, status: "accepted", id: "evt_1" },
    });
  });

  it.each([
    [
      "with letters outside ASCII",
      "schlüssel-für-die-prüfung-ÄÖÜ",
      "e1b09c116ec590ea1c160d570ba1bac03ac6fbe816a08beef7ec52a08ff6d431",
    ],
    [
      "of 64 hex digits",
      "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
      "a7158ea8e0acbf7e515970cd826552a9e01fd5e63e67c677309afe9e027d916d",
    ],
    [
      "that starts with whsec_",
      "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
      "1d965cabdc9a85c49bd43a3c06c44e09c943c7cd2015b0eff40b2388f0dc96b5",
    ],
    [
      "longer than a block of SHA-256",
      `${"0123456789abcdef".repeat(8)}!`,
      "f6fb7355c4fe22cc83a3d60c2d847c25037e0bd09aeac0dc980f959a93c27471",
    ],
  ])(
    "is accepted with a secret %s: the key is its UTF-8 bytes verbatim",
    async (_what, secret, signature) => {
      const service = await startWith({ HEX_SECRET: secret });
      expect((await service.post(BODY, hexHeaders(signature))).status).toBe(
        200,
      );
    },
  );

  it.each([
    [
      "hex",
      hexHeaders(
        "adafa88ad6f3867492a997c4d5a8c80a8c0e90fce9cd01b3cb59b9dbe7e84bc1",
      ),
    ],
    [
      "hex-body",
      bodyHeaders(
        "16687a3efff71d4dddc80eeae7d8d07cb2f634f68391efe26932d2743cafc9ba",
      ),
    ],
  ])(
    "is accepted over bytes that are not UTF-8, with an escape and a newline, under the scheme %s",
    async (scheme, headers) => {
      const service = await startWith({ HEX_SIGNATURE_SCHEME: scheme });
      const body = Buffer.from(
        '{"id":"evt_raw","type":"t","x":"\xff\xc3\xa4\\u00e4"}\r\n',
        "latin1",
      );
      expect((await service.post(body, headers)).status).toBe(200);
    },
  );

  it("is accepted with a leading zero in the timestamp, because the text of the header is signed", async () => {
    const service = await startWith({});
    const timestamp = `0${AT}`;
    const signature = hmac("sha256", KEY, `${timestamp}.`, BODY);
    const answer = await service.post(BODY, hexHeaders(signature, timestamp));
    expect(answer.status).toBe(200);
  });
});

describe("hexhook sign", () => {
  it.each([
    ["hex", { "x-hex-timestamp": String(AT), "x-hex-signature": HEX }],
    ["hex-body", { "x-hex-signature": HEX_BODY }],
  ])(
    "makes the same signature as openssl under the scheme %s",
    async (scheme, made) => {
      const { code, stdout } = await hexhook(
        ["sign", "--json", "--timestamp", String(AT)],
        {
          cwd: temporaryFolder().path,
          env: { HEX_SECRET: KEY, HEX_SIGNATURE_SCHEME: scheme },
          input: BODY,
        },
      );
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toEqual(made);
    },
  );
});

describe("hexhook verify", () => {
  it("accepts a signature made by openssl, and rejects it for another body", async () => {
    const verify = (input: Buffer) =>
      hexhook(
        [
          "verify",
          ...["--now", String(AT)],
          ...["--header", `x-hex-timestamp: ${AT}`],
          ...["--header", `x-hex-signature: ${HEX}`],
        ],
        { cwd: temporaryFolder().path, env: { HEX_SECRET: KEY }, input },
      );
    expect(await verify(BODY)).toMatchObject({ code: 0 });
    expect(await verify(Buffer.from(`${BODY.toString()} `))).toMatchObject({
      code: 1,
    });
  });
});

describe("another construction", () => {
  let hex: TestService;
  let hexBody: TestService;

  beforeAll(async () => {
    hex = await startWith({});
    hexBody = await startWith({ HEX_SIGNATURE_SCHEME: "hex-body" });
  });

  const timestamp = String(AT);
  const message = `${timestamp}.${BODY.toString()}`;
  const digestOf = (text: string): string =>
    createHash("sha256").update(text).digest("hex");
  const serialised = JSON.stringify(JSON.parse(BODY.toString()), null, 1);
  /** Returns the first 32 bytes of a longer MAC, so that its length is right and only its value is wrong. */
  const cut = (mac: string): string => mac.slice(0, 64);

  const overTimestamp: [string, string][] = [
    ["SHA-512/256", hmac("sha512-256", KEY, message)],
    ["SHA-512, cut", cut(hmac("sha512", KEY, message))],
    ["SHA3-256", hmac("sha3-256", KEY, message)],
    ["no dot", hmac("sha256", KEY, timestamp, BODY)],
    ["another separator", hmac("sha256", KEY, `${timestamp}:`, BODY)],
    ["the timestamp after the body", hmac("sha256", KEY, BODY, ".", timestamp)],
    ["no timestamp", HEX_BODY],
    ["the timestamp alone", hmac("sha256", KEY, `${timestamp}.`)],
    ["the timestamp in milliseconds", hmac("sha256", KEY, `${AT}000.`, BODY)],
    ["a newline after the body", hmac("sha256", KEY, message, "\n")],
    [
      "the body serialised again",
      hmac("sha256", KEY, `${timestamp}.`, serialised),
    ],
    [
      "the body in hex",
      hmac("sha256", KEY, `${timestamp}.`, BODY.toString("hex")),
    ],
    [
      "the digest of the body",
      hmac("sha256", KEY, `${timestamp}.`, digestOf(BODY.toString())),
    ],
    ["the key with a newline", hmac("sha256", `${KEY}\n`, message)],
    [
      "the key without its last character",
      hmac("sha256", KEY.slice(0, -1), message),
    ],
    ["the key in upper case", hmac("sha256", KEY.toUpperCase(), message)],
    [
      "the key decoded as base64",
      hmac("sha256", Buffer.from(KEY, "base64"), message),
    ],
    [
      "the key decoded as hex",
      hmac("sha256", Buffer.from(KEY, "hex"), message),
    ],
    [
      "the digest of the key",
      hmac("sha256", createHash("sha256").update(KEY).digest(), message),
    ],
    ["an empty key", hmac("sha256", "", message)],
    ["no HMAC: the key before the message", digestOf(KEY + message)],
    ["no HMAC: the key after the message", digestOf(message + KEY)],
    ["no key at all", digestOf(message)],
  ];

  it.each(overTimestamp)("is rejected by hex: %s", async (_what, signature) => {
    expect(signature).toMatch(/^[0-9a-f]{64}$/);
    const answer = await hex.post(BODY, hexHeaders(signature));
    expect(answer).toMatchObject({
      status: 401,
      json: { code: "unauthorized" },
    });
    expect(await hex.lastEntry()).toMatchObject({
      metadata: { reason: "bad_signature" },
    });
  });

  it.each([
    ["SHA-512/256", hmac("sha512-256", KEY, BODY)],
    ["SHA-512, cut", cut(hmac("sha512", KEY, BODY))],
    ["a dot before the body", hmac("sha256", KEY, ".", BODY)],
    ["the timestamp", HEX],
    ["the body serialised again", hmac("sha256", KEY, serialised)],
    ["the body in base64", hmac("sha256", KEY, BODY.toString("base64"))],
    ["an empty body", hmac("sha256", KEY)],
    ["the key with a newline", hmac("sha256", `${KEY}\n`, BODY)],
    [
      "the key decoded as base64",
      hmac("sha256", Buffer.from(KEY, "base64"), BODY),
    ],
    ["no HMAC: the key before the message", digestOf(KEY + BODY.toString())],
  ])("is rejected by hex-body: %s", async (_what, signature) => {
    expect(signature).toMatch(/^[0-9a-f]{64}$/);
    // The requests also have a timestamp, which a scheme that signs no time must ignore.
    for (const headers of [bodyHeaders(signature), hexHeaders(signature)]) {
      expect((await hexBody.post(BODY, headers)).status).toBe(401);
    }
    expect(await hexBody.lastEntry()).toMatchObject({
      metadata: { reason: "bad_signature" },
    });
  });

  it.each([
    ["SHA-1", hmac("sha1", KEY, message)],
    [
      "SHA-1 with zeros after it",
      `${hmac("sha1", KEY, message)}${"0".repeat(24)}`,
    ],
    ["SHA-512", hmac("sha512", KEY, message)],
    ["base64", Buffer.from(HEX, "hex").toString("base64")],
    ["a prefix", `sha256=${HEX}`],
    ["a version", `v1,${HEX}`],
    ["half a signature", HEX.slice(0, 32)],
    ["two signatures", `${HEX},${HEX}`],
  ])("is rejected by hex in another form: %s", async (_what, signature) => {
    const answer = await hex.post(BODY, hexHeaders(signature));
    expect(answer.status).toBe(401);
  });

  it("does not stop the correct signature from being accepted", async () => {
    expect((await hex.post(BODY, hexHeaders(HEX))).status).toBe(200);
    expect((await hexBody.post(BODY, bodyHeaders(HEX_BODY))).status).toBe(200);
  });
});
