import { describe, expect, it } from "@jest/globals";
import { looksRandom } from "../../../src/doctor/key-shape.ts";
import { GENERIC_KEY } from "../../support/fake-keys.ts";

describe("the test for random keys", () => {
  it.each([
    [GENERIC_KEY, true],
    ["c0ffee5ac47c7a52b3a2f7ecdb8eb6c1", true],
    ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP", true],
    ["test-signing-secret-0123456789abcdef", false],
    ["another-signing-secret-for-hex-42", false],
    ["process.env.HEX_API_KEY2", false],
    ["getSecretFromVault2Config", false],
    ["aaaaaaaaaaaaaaaaaaaaaaa1", false],
    ["your-api-key-goes-here-1", false],
    ["0123456789abcdef0123456789abcdef", false],
    ["onlyLettersWithoutADigit", false],
    ["short1", false],
  ])("accepts %s as random: %s", (text, is) => {
    expect(looksRandom(text)).toBe(is);
  });
});
