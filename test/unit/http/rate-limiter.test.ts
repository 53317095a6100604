import { describe, expect, it } from "@jest/globals";
import { createRateLimiter } from "../../../src/http/rate-limiter.ts";

describe("the rate limiter of rejections", () => {
  it("limits each address separately, and drops old addresses to limit its memory", () => {
    const limiter = createRateLimiter({
      burst: 2,
      perSecond: 1,
      maxAddresses: 10,
    });
    const refuse = (address: string, at: number): string =>
      limiter.charge("unauthorized", address, at);
    expect(refuse("a", 0)).toBe("unauthorized");
    expect(refuse("a", 0)).toBe("unauthorized");
    expect(refuse("a", 0)).toBe("too_many_requests");
    expect(limiter.charge("unavailable", "a", 0)).toBe("unavailable");
    expect(refuse("b", 0)).toBe("unauthorized");
    expect(refuse("a", 1000)).toBe("unauthorized");
    expect(refuse("a", 1000)).toBe("too_many_requests");
    for (const other of ["c", "d", "e", "f"]) {
      refuse(other, 1000);
    }
    expect(refuse("a", 1000)).toBe("too_many_requests");
    for (let n = 0; n < 20; n += 1) {
      refuse(`other-${n}`, 1000);
    }
    expect(refuse("a", 1000)).toBe("unauthorized");
  });

  it("limits all addresses of an IPv6 /64 together", () => {
    const rateLimiter = createRateLimiter({
      burst: 1,
      perSecond: 1,
      maxAddresses: 10,
    });
    const refuse = (address: string) =>
      rateLimiter.charge("unauthorized", address, 0);
    expect(refuse("2001:db8::1")).toBe("unauthorized");
    expect(refuse("2001:db8::2")).toBe("too_many_requests");
    expect(refuse("2001:db8:0:1::1")).toBe("unauthorized");
  });
});
