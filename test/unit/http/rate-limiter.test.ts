import { describe, expect, it } from "@jest/globals";
import { createRateLimiter } from "../../../src/http/rate-limiter.ts";

describe("the rate limiter of rejections", () => {
  it("limits each address separately, and drops old addresses to limit its memory", () => {
    const limiter = createRateLimiter({
      burst: 2,
      perSecond: 1,
      maxAddresses: 10,
    });
    const reject = (address: string, at: number): string =>
      limiter.charge("unauthorized", address, at);
    expect(reject("a", 0)).toBe("unauthorized");
    expect(reject("a", 0)).toBe("unauthorized");
    expect(reject("a", 0)).toBe("too_many_requests");
    expect(limiter.charge("unavailable", "a", 0)).toBe("unavailable");
    expect(reject("b", 0)).toBe("unauthorized");
    expect(reject("a", 1000)).toBe("unauthorized");
    expect(reject("a", 1000)).toBe("too_many_requests");
    for (const other of ["c", "d", "e", "f"]) {
      reject(other, 1000);
    }
    expect(reject("a", 1000)).toBe("too_many_requests");
    for (let n = 0; n < 20; n += 1) {
      reject(`other-${n}`, 1000);
    }
    expect(reject("a", 1000)).toBe("unauthorized");
  });

  it("limits all addresses of an IPv6 /64 together", () => {
    const rateLimiter = createRateLimiter({
      burst: 1,
      perSecond: 1,
      maxAddresses: 10,
    });
    const reject = (address: string) =>
      rateLimiter.charge("unauthorized", address, 0);
    expect(reject("2001:db8::1")).toBe("unauthorized");
    expect(reject("2001:db8::2")).toBe("too_many_requests");
    expect(reject("2001:db8:0:1::1")).toBe("unauthorized");
  });
});
