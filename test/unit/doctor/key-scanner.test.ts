import { describe, expect, it } from "@jest/globals";
import { createKeyScanner } from "../../../src/doctor/key-scanner.ts";
import { GENERIC_KEY, PEM } from "../../support/fake-keys.ts";

describe("the key scanner", () => {
  it.each([
    `HEX_API_KEY=${GENERIC_KEY}`,
    `export API_KEY="${GENERIC_KEY}"`,
    `"apiKey": "${GENERIC_KEY}",`,
    `client_secret: ${GENERIC_KEY}`,
    `const accessKey = '${GENERIC_KEY}';`,
    `auth-token => ${GENERIC_KEY}`,
    `write_key:=${GENERIC_KEY}`,
    `"{\\"api_key\\":\\"${GENERIC_KEY}\\"}"`,
    `PEM="${PEM.replaceAll("\n", "\\n")}"`,
  ])("finds a key in %j", async (text) => {
    expect(await createKeyScanner([])(Buffer.from(text), "a.txt")).toHaveLength(
      1,
    );
  });

  it.each([
    "apiKey: process.env.HEX_API_KEY_2026",
    `"integrity": "sha512-${GENERIC_KEY}${GENERIC_KEY}"`,
    "HEX_SECRET_FILE=/run/secrets/hex_secret_2026",
    "HEX_SECRET=$(openssl rand -hex 32)",
    "HEX_API_KEY=<your key from the dashboard>",
    "-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----",
  ])("finds no key in %j", async (text) => {
    expect(await createKeyScanner([])(Buffer.from(text), "a.txt")).toEqual([]);
  });

  it("takes time that is linear in the length of the text", async () => {
    const scan = createKeyScanner([]);
    const hostile = [
      "api_key ".repeat(200_000),
      `-----BEGIN PRIVATE KEY-----${"A".repeat(2_000_000)}`,
      "-----BEGIN PRIVATE KEY-----".repeat(40_000),
      `password${" ".repeat(1_000_000)}`,
    ];
    for (const text of hostile) {
      expect(await scan(Buffer.from(text), "a.txt")).toEqual([]);
    }
  });
});
