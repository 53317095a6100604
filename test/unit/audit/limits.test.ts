import { describe, expect, it } from "@jest/globals";
import { createAuditLimiter } from "../../../src/audit/audit-limiter.ts";
import type { AuditDraft } from "../../../src/audit/entry.ts";
import { createSuppressedEntries } from "../../../src/audit/suppressed-entries.ts";
import { createRateLimiter } from "../../../src/http/rate-limiter.ts";

const rejected = (reason: string, ip = "192.0.2.1"): AuditDraft => ({
  at: 1000,
  action: "webhook.rejected",
  userId: "anonymous",
  resource: "/webhooks/hex",
  result: "failure",
  metadata: { reason, ip },
});

describe("entries over a limit", () => {
  it("are reported with the earlier ones when a report fails meanwhile", async () => {
    const written: AuditDraft[] = [];
    let isFull = true;
    const suppressed = createSuppressedEntries({
      append: async (draft) => {
        if (isFull) {
          suppressed.count(rejected("late", "192.0.2.2"));
          throw new Error("full");
        }
        written.push(draft);
      },
      now: () => 2000,
      emit: () => undefined,
    });
    suppressed.count(rejected("early"));
    await expect(suppressed.flush()).rejects.toThrow("full");
    isFull = false;
    await suppressed.flush();
    await suppressed.flush();
    expect(written.map(({ metadata }) => metadata)).toEqual([
      {
        count: 2,
        since: new Date(1000).toISOString(),
        reasons: { early: 1, late: 1 },
        addresses: { "192.0.2.1": 1, "192.0.2.2": 1 },
      },
    ]);
  });

  it("are exactly those that the limiter does not admit", async () => {
    const written: AuditDraft[] = [];
    const append = async (draft: AuditDraft): Promise<void> => {
      written.push(draft);
    };
    const suppressed = createSuppressedEntries({
      append,
      now: () => 2000,
      emit: () => undefined,
    });
    const limiter = createAuditLimiter(
      { append, suppressed, monotonic: () => 1000 },
      { perAddress: 2, total: 3, windowMs: 1000 },
    );
    for (const ip of ["192.0.2.1", "192.0.2.2"]) {
      for (let n = 0; n < 3; n += 1) {
        await limiter.append(rejected("bad_signature", ip));
      }
    }
    expect(written).toHaveLength(3);
    await suppressed.flush();
    expect(written[3]!.metadata).toMatchObject({
      count: 3,
      addresses: { "192.0.2.1": 1, "192.0.2.2": 2 },
    });
  });
});

describe("the rate limiter", () => {
  it("grants an address at most one burst after any pause", () => {
    const limiter = createRateLimiter({
      burst: 2,
      perSecond: 1,
      maxAddresses: 100,
    });
    const charge = (now: number) =>
      limiter.charge("unauthorized", "192.0.2.1", now);
    expect(charge(0)).toBe("unauthorized");
    expect([1, 2, 3].map(() => charge(86_400_000))).toEqual([
      "unauthorized",
      "unauthorized",
      "too_many_requests",
    ]);
  });
});
