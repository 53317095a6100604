import { describe, expect, it } from "@jest/globals";
import { createAuditLimiter } from "../../../src/audit/audit-limiter.ts";

/** A limiter of audit entries that is called with an address and a time. */
function auditLimiter(limits: Parameters<typeof createAuditLimiter>[1]): {
  take: (address: string, at: number) => boolean;
} {
  let clock = 0;
  const limiter = createAuditLimiter(
    {
      append: async () => undefined,
      suppressed: { count: () => undefined },
      monotonic: () => clock,
    },
    limits,
  );
  return {
    take(ip, at) {
      clock = at;
      return limiter.admits({
        // The limiter must not use the wall clock.
        at: 1_000_000 - at,
        action: "http.rejected",
        userId: "anonymous",
        resource: "/",
        result: "failure",
        metadata: { ip },
      });
    },
  };
}

describe("the limiter of audit entries", () => {
  const options = { perAddress: 3, total: 5, windowMs: 1000 };

  it("limits entries in every window, for each address and in total, and admits more in the next window", () => {
    const limiter = auditLimiter(options);
    const taken: { address: string; at: number }[] = [];
    for (let at = 0; at < 5000; at += 37) {
      for (const address of ["a", "a", "b", "c"]) {
        if (limiter.take(address, at)) {
          taken.push({ address, at });
        }
      }
    }
    for (const { at } of taken) {
      const within = taken.filter((t) => t.at >= at && t.at < at + 1000);
      expect(within.length).toBeLessThanOrEqual(5);
      const mostOf = (address: string): number =>
        within.filter((t) => t.address === address).length;
      expect(Math.max(...["a", "b", "c"].map(mostOf))).toBeLessThanOrEqual(3);
    }
    expect(taken.length).toBeGreaterThanOrEqual(5 * 4);
  });

  it("counts all addresses of an IPv6 /64 together", () => {
    const limiter = auditLimiter({ perAddress: 1, total: 9, windowMs: 9 });
    expect(limiter.take("2001:db8::1", 0)).toBe(true);
    expect(limiter.take("2001:db8:0:0:ffff::2", 0)).toBe(false);
    expect(limiter.take("2001:db8:0:1::1", 0)).toBe(true);
  });
});
