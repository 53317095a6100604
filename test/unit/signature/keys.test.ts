import { describe, expect, it } from "@jest/globals";
import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import type { Scheme, SecretFormat } from "../../../src/domain/scheme.ts";
import { readKey } from "../../../src/signature/keys.ts";
import { readPrivateKey } from "../../../src/signature/private-keys.ts";
import { schemeOf } from "../../../src/signature/schemes.ts";

const ed25519 = generateKeyPairSync("ed25519");
const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
const der = (key: KeyObject): string =>
  key.export({ format: "der", type: "spki" }).toString("base64");
const pem = (key: KeyObject): string =>
  key.export({ format: "pem", type: "spki" }).toString();
const privatePem = (key: KeyObject): string =>
  key.export({ format: "pem", type: "pkcs8" }).toString();
const rawEd25519 = Buffer.from(der(ed25519.publicKey), "base64").subarray(-32);

function read(
  format: SecretFormat["format"],
  secret: string,
  algorithm: Scheme["algorithm"] = "hmac-sha256",
) {
  const scheme = {
    ...schemeOf("hex"),
    algorithm,
    secret: { format, minBytes: 1 },
  };
  return readKey(scheme, secret);
}

describe("a symmetric key", () => {
  it("is the text, or what it encodes", () => {
    const bytes = randomBytes(32);
    const keys = [
      read("text", "sécret"),
      read("hex", bytes.toString("hex")),
      read("base64", bytes.toString("base64")),
      read("whsec", `whsec_${bytes.toString("base64")}`),
      read("whsec", bytes.toString("base64")),
    ].map((one) => ("key" in one ? one.key : one));
    expect(keys).toEqual([Buffer.from("sécret"), bytes, bytes, bytes, bytes]);
  });

  it.each<[SecretFormat["format"], string]>([
    ["hex", "abc"],
    ["hex", "abzz"],
    ["hex", ""],
    ["base64", "YWJj="],
    ["base64", "YWI"],
    ["base64", "YWJ="],
    ["base64", "YW-_"],
    ["whsec", "whsec_"],
    ["whsec", "whsec_%%%%"],
    ["whsec", "WHSEC_YWJj"],
  ])("in %s is not read from %j", (format, secret) => {
    expect(read(format, secret)).toEqual({
      error: expect.stringMatching(/^must be/) as unknown,
    });
  });
});

describe("a public key", () => {
  it("is read in each form, and verifies only its own algorithm", () => {
    const base64 = rawEd25519.toString("base64");
    const keys = [
      read("whsec", `whpk_${base64}`),
      read("ed25519-hex", rawEd25519.toString("hex"), "ed25519"),
      read("ed25519-base64", base64, "ed25519"),
      read("spki", der(ed25519.publicKey), "ed25519"),
      read("spki", pem(ed25519.publicKey), "ed25519"),
    ];
    for (const one of keys) {
      expect(one).toMatchObject({ algorithm: "ed25519" });
      expect(
        "publicKey" in one && one.publicKey?.equals(ed25519.publicKey),
      ).toBe(true);
    }
    for (const text of [der(p256.publicKey), pem(p256.publicKey)]) {
      const one = read("spki", text, "ecdsa-p256");
      expect("publicKey" in one && one.publicKey?.equals(p256.publicKey)).toBe(
        true,
      );
    }
  });

  it.each<[string, SecretFormat["format"], string]>([
    ["31 bytes", "ed25519-hex", "00".repeat(31)],
    ["31 bytes", "ed25519-base64", Buffer.alloc(31).toString("base64")],
    ["31 bytes", "whsec", `whpk_${Buffer.alloc(31).toString("base64")}`],
    ["another curve", "spki", der(p384.publicKey)],
    ["another algorithm", "spki", der(ed25519.publicKey)],
    ["a private key", "spki", privatePem(p256.privateKey)],
    ["no key", "spki", "secret"],
    ["no key", "spki", "-----BEGIN PUBLIC KEY-----\nAA==\n"],
  ])("of %s is not read (%s)", (_name, format, secret) => {
    const found = read(format, secret, "ecdsa-p256");
    expect(found).toEqual({
      error: expect.stringMatching(/^must be/) as unknown,
    });
    expect(JSON.stringify(found)).not.toContain(secret.slice(0, 60));
  });
});

describe("a private key", () => {
  it("is read in each form", () => {
    const jwk = ed25519.privateKey.export({ format: "jwk" });
    const seed = Buffer.from(jwk.d ?? "", "base64url");
    const both = Buffer.concat([seed, rawEd25519]).toString("base64");
    for (const text of [
      privatePem(ed25519.privateKey),
      `${seed.toString("hex")}\n`,
      `whsk_${seed.toString("base64")}`,
      `whsk_${both}`,
    ]) {
      const found = readPrivateKey(text);
      expect("key" in found && found.key.equals(ed25519.privateKey)).toBe(true);
    }
  });

  it.each(["", "whsk_", "whsk_YWJj", "00", pem(p256.publicKey)])(
    "is not read from %j",
    (text) => {
      expect(readPrivateKey(text)).toEqual({
        error: expect.stringMatching(/^must be a private key/) as unknown,
      });
    },
  );
});
