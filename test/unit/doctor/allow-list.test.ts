import { describe, expect, it } from "@jest/globals";
import { allowanceOf, parseAllowList } from "../../../src/doctor/allow-list.ts";

describe("an allow-list", () => {
  const fingerprint = "0123456789abcdef";

  it("allows a key until the end of its day, in UTC", () => {
    const list = parseAllowList(
      `${fingerprint} 2026-11-24 revoked # by eve\r\n`,
    );
    expect(list.errors).toEqual([]);
    const at = (time: string) =>
      allowanceOf(list, fingerprint, Date.parse(time));
    expect(at("2026-11-24T23:59:59Z")).toBe("allowed");
    expect(at("2026-11-25T00:00:00Z")).toBe("expired");
    expect(allowanceOf(list, "f".repeat(16), 0)).toBe("none");
  });

  it.each([
    "abc 2026-01-01",
    fingerprint,
    `${fingerprint} 2026-13-01`,
    `${fingerprint} 2027-02-31`,
    `${fingerprint} soon`,
  ])("rejects the line %j", (line) => {
    expect(parseAllowList(`\n${line}\n`).errors).toEqual([
      "line 2: must be FINGERPRINT YYYY-MM-DD reason",
    ]);
  });
});
