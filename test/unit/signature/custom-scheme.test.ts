import { describe, expect, it } from "@jest/globals";
import { createHmac } from "node:crypto";
import type { Scheme } from "../../../src/domain/scheme.ts";
import {
  customScheme,
  type CustomSettings,
  tokenScheme,
} from "../../../src/signature/custom-scheme.ts";
import { verify } from "../../../src/signature/verify.ts";
import { SECRET, testSource } from "../../support/fixtures.ts";

const VALID: CustomSettings = {
  signature: { header: "X-Sig", prefix: "sha256=", encoding: "hex" },
  algorithm: "sha256",
  signed: "{timestamp}.{body}",
  timestamp: { header: "X-Ts", unit: "s" },
  id: { pointer: "/event/id" },
  type: { header: "X-Event" },
};

describe("a custom scheme", () => {
  it("is what its settings describe", () => {
    expect(customScheme(VALID)).toEqual({
      name: "custom",
      algorithm: "hmac-sha256",
      secret: { format: "text", minBytes: 24 },
      signature: {
        from: { header: "x-sig" },
        syntax: { kind: "raw", prefix: "sha256=" },
        encoding: "hex",
      },
      signed: "{timestamp}.{body}",
      timestamp: { from: { header: "x-ts" }, unit: "s", windowSeconds: 300 },
      id: { from: { pointer: "/event/id" }, isSigned: true },
      type: { from: [{ header: "x-event" }] },
      media: ["json"],
      onReplay: "acknowledge",
    });
  });

  it("has an id that is signed if it is in the body or in the template", () => {
    const isSigned = (changes: Partial<CustomSettings>): unknown => {
      const scheme = customScheme({ ...VALID, ...changes });
      return "id" in scheme ? scheme.id.isSigned : scheme;
    };
    const id = { header: "X-Id" };
    expect([
      isSigned({ id: undefined }),
      isSigned({ id }),
      isSigned({ id, signed: "{id}.{timestamp}.{body}" }),
    ]).toEqual([true, false, true]);
  });

  it.each<[string, Partial<CustomSettings>, string, string]>([
    ["an unknown placeholder", { signed: "{ts}.{body}" }, "signed", "{id}"],
    [
      "HubSpot's URL",
      { signed: "{decoded_url}{timestamp}{body}" },
      "signed",
      "{url}",
    ],
    ["a stray brace", { signed: "{timestamp}{body}}" }, "signed", "braces"],
    [
      "a letter beyond ASCII",
      { signed: "é{timestamp}{body}" },
      "signed",
      "ASCII",
    ],
    [
      "a body that is not signed",
      { signed: "{timestamp}" },
      "signed",
      "{body}",
    ],
    [
      "no timestamp to sign",
      { timestamp: undefined },
      "timestamp",
      "must have a header",
    ],
    [
      "a signed timestamp in the body",
      { timestamp: { pointer: "/ts", unit: "s" } },
      "timestamp",
      "must have a header",
    ],
    [
      "an unsigned timestamp",
      { signed: "{body}" },
      "timestamp",
      "is not signed",
    ],
    [
      "no id to sign",
      { id: undefined, signed: "{id}{timestamp}{body}" },
      "id",
      "must have a header",
    ],
    [
      "a signed id in the body",
      { signed: "{id}{timestamp}{body}" },
      "id",
      "must have a header",
    ],
    [
      "no name of a header",
      { type: { header: "x event" } },
      "type.header",
      "name of a header",
    ],
    [
      "a header with credentials",
      { type: { header: "Authorization" } },
      "type.header",
      "credentials",
    ],
    [
      "a reserved header",
      { type: { header: "Content-Type" } },
      "type.header",
      "describes",
    ],
    [
      "the signature as an id",
      { id: { header: "x-SIG" } },
      "id.header",
      "another header",
    ],
    ["no pointer", { id: { pointer: "event" } }, "id.pointer", "JSON pointer"],
    [
      "a prefix beyond ASCII",
      { signature: { header: "x", prefix: "é", encoding: "hex" } },
      "signature.prefix",
      "ASCII",
    ],
    [
      "a public key as text",
      { algorithm: "ed25519", keyDecoding: "verbatim" },
      "keyDecoding",
      "hex or base64",
    ],
  ])("is refused with %s", (_name, changes, path, text) => {
    const scheme = customScheme({ ...VALID, ...changes });
    expect(
      "errors" in scheme
        ? scheme.errors.map((error) => [error.path.join("."), error.message])
        : scheme,
    ).toEqual([[path, expect.stringContaining(text)]]);
  });

  describe("whose signed bytes another message can have too", () => {
    const body = Buffer.from("{}");
    const messageWith = (
      signed: string,
      headers: Readonly<Record<string, string>>,
    ) => ({
      method: "POST",
      url: "/",
      headers: {
        "content-type": "application/json",
        "x-sig": `sha256=${createHmac("sha256", SECRET).update(signed).digest("hex")}`,
        ...headers,
      },
      body,
    });

    it("is decided by the replay guard", () => {
      const scheme = customScheme({
        ...VALID,
        signed: "{id}{timestamp}{body}",
        id: { header: "X-Id" },
      }) as Scheme;
      const read = (id: string, time: string) =>
        verify(
          testSource({ scheme }),
          messageWith("a-101700000000{}", { "x-id": id, "x-ts": time }),
          0,
        );
      const first = read("a-10", "1700000000");
      const second = read("a-1", "01700000000");

      // Both are authentic, with different ids and one key of the guard.
      expect([first, second]).toMatchObject([
        { ok: true, id: "a-10", coversKey: false },
        { ok: true, id: "a-1", coversKey: false },
      ]);
      expect(first).toMatchObject({
        replayKey: second.ok ? second.replayKey : null,
      });
    });

    it.each<[string, boolean, string[] | null]>([
      ["{timestamp}.{body}", true, null],
      ["{body}", true, ["text/plain"]],
      ["{timestamp}.{body}", false, ["text/plain"]],
      ["{timestamp}0{body}", false, null],
      ["{timestamp}{body}", false, null],
    ])("covers the key with %s: %s for %s", (signed, coversKey, mediaTypes) => {
      const scheme = customScheme({
        ...VALID,
        signed,
        id: undefined,
        timestamp: signed.includes("{timestamp}") ? VALID.timestamp : undefined,
      }) as Scheme;
      const text = signed.replace("{timestamp}", "17").replace("{body}", "{}");
      const message = messageWith(text, { "x-ts": "17" });

      expect(
        verify(testSource({ scheme, mediaTypes }), message, 0),
      ).toMatchObject({
        ok: true,
        coversKey,
      });
    });
  });

  it("reports all errors at once", () => {
    const scheme = customScheme({
      ...VALID,
      signature: { header: "", encoding: "hex" },
      signed: "",
      id: { pointer: "" },
    });
    expect("errors" in scheme && scheme.errors.length).toBeGreaterThan(3);
  });
});

describe("a token scheme", () => {
  it("compares the value of its header", () => {
    expect(
      tokenScheme({ header: "X-Telegram-Bot-Api-Secret-Token" }),
    ).toMatchObject({
      name: "token",
      algorithm: "token",
      signature: { from: { header: "x-telegram-bot-api-secret-token" } },
      id: { from: null },
    });
  });

  it.each(["", "x y", "Host", "cookie", "x".repeat(129)])(
    "is refused with the header %j",
    (header) => {
      expect(tokenScheme({ header })).toMatchObject({
        errors: [{ path: ["header"] }],
      });
    },
  );
});
