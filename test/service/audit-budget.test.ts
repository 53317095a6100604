import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { statSync } from "node:fs";
import { Agent, request } from "node:http";
import path from "node:path";
import { createAuditLimiter } from "../../src/audit/audit-limiter.ts";
import { createRateLimiter } from "../../src/http/rate-limiter.ts";
import { createSuppressedEntries } from "../../src/audit/suppressed-entries.ts";
import type { AuditDraft } from "../../src/audit/entry.ts";
import { eventBody, OTHER_SECRET, signed } from "../support/fixtures.ts";
import { readTrail, suppressedIn } from "../support/read-trail.ts";
import { startTestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { serve } from "../support/processes.ts";

/** A limiter of audit entries, asked by address and time. */
function auditLimiter(limits: Parameters<typeof createAuditLimiter>[1]): {
  take: (address: string, at: number) => boolean;
} {
  const limiter = createAuditLimiter(
    {
      append: async () => undefined,
      suppressed: { count: () => undefined },
    },
    limits,
  );
  return {
    take: (ip, at) =>
      limiter.admits({
        at,
        action: "http.rejected",
        userId: "anonymous",
        resource: "/",
        result: "failure",
        metadata: { ip },
      }),
  };
}

describe("the limiter of audit entries", () => {
  const options = { perAddress: 3, total: 5, windowMs: 1000 };

  it("holds within every window, for an address and in all, and no longer", () => {
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

  it("is one for all addresses of an IPv6 /64", () => {
    const limiter = auditLimiter({ perAddress: 1, total: 9, windowMs: 9 });
    expect(limiter.take("2001:db8::1", 0)).toBe(true);
    expect(limiter.take("2001:db8:0:0:ffff::2", 0)).toBe(false);
    expect(limiter.take("2001:db8:0:1::1", 0)).toBe(true);
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

  it("is not held for ever by a clock that was set back", () => {
    const limiter = auditLimiter(options);
    for (let n = 0; n < 3; n += 1) {
      expect(limiter.take("a", 1_000_000)).toBe(true);
    }
    expect(limiter.take("a", 999_500)).toBe(false);
    expect(limiter.take("a", 900_000)).toBe(true);
  });
});

describe("the rate limiter of rejections", () => {
  it("is one for each address, and is forgotten before many addresses take memory", () => {
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
});

describe("what is suppressed", () => {
  const draft = (reason: string, ip: string): AuditDraft => ({
    at: 1,
    action: "webhook.rejected",
    userId: "anonymous",
    resource: "/webhooks/hex",
    result: "failure",
    metadata: { reason, ip },
  });

  it("is counted by reason and address in bounded memory, and told of once it can be written", async () => {
    const written: AuditDraft[] = [];
    let broken = true;
    const suppressed = createSuppressedEntries({
      append: async (entry) => {
        if (broken) {
          throw new Error("full");
        }
        written.push(entry);
      },
      now: () => 5,
    });
    await suppressed.flush();
    for (let n = 0; n < 1000; n += 1) {
      suppressed.count(draft(n % 2 ? "bad_signature" : "x", `10.0.0.${n}`));
    }
    await expect(suppressed.flush()).rejects.toThrow("full");
    suppressed.count(draft("x", "10.0.0.0"));
    broken = false;
    await suppressed.flush();
    await suppressed.flush();
    expect(written).toHaveLength(1);
    expect(written[0]).toMatchObject({
      action: "audit.suppressed",
      metadata: { count: 1001, reasons: { bad_signature: 500, x: 501 } },
    });
    const addresses = written[0]!.metadata["addresses"] as object;
    expect(Object.keys(addresses)).toHaveLength(21);
    expect(addresses).toMatchObject({ "10.0.0.0": 2, others: 980 });
  });
});

describe("a genuine request that somebody caught and sends again and again", () => {
  it("leaves entries within a budget of its own, and the others are counted", async () => {
    const folder = temporaryFolder();
    let now = Date.now();
    // The budget fills up again as time passes, so here it passes when told.
    const service = await startTestService(folder.path, {
      deps: { now: () => now },
    });
    const caught = eventBody("evt_caught");
    const noEvent = Buffer.from("[]");
    const sendAgain = async (
      body: Buffer,
      headers: Record<string, string>,
      times: number,
    ): Promise<Set<number>> => {
      const seen = new Set<number>();
      for (let sent = 0; sent < times; sent += 50) {
        const many = Array.from({ length: 50 }, () =>
          service.post(body, headers),
        );
        for (const { status } of await Promise.all(many)) {
          seen.add(status);
        }
      }
      return seen;
    };
    const headers = signed(caught, { at: now });
    expect((await service.post(caught, headers)).status).toBe(200);
    expect(await sendAgain(caught, headers, 300)).toEqual(new Set([409]));
    const malformed = signed(noEvent, { at: now });
    expect(await sendAgain(noEvent, malformed, 250)).toEqual(new Set([400]));
    // The same answer as to a forged one, in a flood too.
    const stale = signed(caught, { at: now - 400_000 });
    expect(await sendAgain(caught, stale, 600)).toEqual(new Set([401]));
    expect(await sendAgain(caught, stale, 50)).toEqual(new Set([429]));
    expect(await sendAgain(caught, headers, 50)).toEqual(new Set([409]));
    const forged = signed(caught, { secret: OTHER_SECRET });
    expect((await service.post(caught, forged)).status).toBe(429);
    const fresh = eventBody("evt_fresh");
    expect((await service.post(fresh)).status).toBe(200);
    now += 60_000;
    expect((await service.post(caught, headers)).status).toBe(409);
    await service.stop();

    const entries = await service.entries();
    const written = entries.filter(({ result, metadata }) => {
      return result === "failure" && metadata["keyId"] !== undefined;
    });
    const by = (what: string): number =>
      written.filter(
        ({ action, metadata }) => (metadata["reason"] ?? action) === what,
      ).length;
    expect(by("webhook.replayed")).toBe(301);
    expect(by("malformed_payload")).toBe(250);
    expect(by("stale_timestamp")).toBe(50);
    expect(suppressedIn(entries)).toEqual({
      stale_timestamp: 600,
      replayed: 50,
    });
    // What nobody has signed has a budget apart.
    expect(entries).toContainEqual(
      expect.objectContaining({
        metadata: expect.objectContaining({ reason: "bad_signature" }),
      }),
    );
  });
});

describe("a flood of 50,000 forged deliveries", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let agent: Agent;

  beforeEach(() => {
    folder = temporaryFolder();
    agent = new Agent({ keepAlive: true, maxSockets: 32 });
  });

  afterEach(() => {
    agent.destroy();
  });

  const FORGED = 50_000;
  const body = eventBody("evt_forged");
  const forged = signed(body, { secret: OTHER_SECRET });

  function post(
    port: number,
    content: Buffer,
    headers: Record<string, string>,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      const req = request(
        { port, agent, method: "POST", path: "/webhooks/hex", headers },
        (res) => {
          res.resume();
          res.on("end", () => {
            resolve(res.statusCode ?? 0);
          });
        },
      );
      req.on("error", reject);
      req.setHeader("content-length", content.length);
      req.end(content);
    });
  }

  it.each([
    ["one address", 1, 60],
    ["1,000 claimed addresses", 1000, 600],
  ])(
    "from %s leaves entries within the budget, a store that does not grow, and genuine deliveries unhurt",
    async (_from, addresses, budget) => {
      const server = await serve(folder.path, { TRUST_PROXY: "1" });
      const genuine: number[] = [];
      const refused = new Set<number>();
      let n = 0;
      const began = Date.now();
      const work = async (): Promise<void> => {
        while (n < FORGED) {
          n += 1;
          const from = n % addresses;
          const claimed = `10.1.${from >> 8}.${from & 255}`;
          const ip = { "x-forwarded-for": claimed };
          if (n % 500 === 0) {
            const good = eventBody(`evt_${n}`);
            genuine.push(
              await post(server.port, good, { ...signed(good), ...ip }),
            );
          }
          refused.add(await post(server.port, body, { ...forged, ...ip }));
        }
      };
      await Promise.all(Array.from({ length: 32 }, work));
      const minutes = Math.ceil((Date.now() - began) / 60_000);
      await server.stop();

      expect(genuine).toHaveLength(FORGED / 500);
      expect(new Set(genuine)).toEqual(new Set([200]));
      expect([...refused].every((s) => s === 401 || s === 429)).toBe(true);
      const entries = await readTrail(path.join(folder.path, "hexhook.db"));
      const of = (action: string) => entries.filter((e) => e.action === action);
      const written = of("webhook.rejected").length;
      expect(written).toBeGreaterThanOrEqual(budget);
      expect(written).toBeLessThanOrEqual(budget * (minutes + 1));
      const suppressed = of("audit.suppressed");
      const counted = suppressed.reduce(
        (sum, { metadata }) => sum + Number(metadata["count"]),
        0,
      );
      expect(written + counted).toBe(FORGED);
      expect(suppressed.length).toBeLessThanOrEqual(6 * minutes + 2);
      expect(of("webhook.accepted")).toHaveLength(FORGED / 500);
      expect(statSync(path.join(folder.path, "hexhook.db")).size).toBeLessThan(
        2_000_000,
      );
    },
  );
});
