import { describe, expect, it } from "@jest/globals";
import type { AuditDraft } from "../../../src/audit/entry.ts";
import type { Happening } from "../../../src/telemetry/happening.ts";
import { createSuppressedEntries } from "../../../src/audit/suppressed-entries.ts";

describe("suppressed entries", () => {
  const draft = (reason: string, ip: string): AuditDraft => ({
    at: 1,
    action: "webhook.rejected",
    userId: "anonymous",
    resource: "/webhooks/hex",
    result: "failure",
    metadata: { reason, ip },
  });

  it("are counted by reason and address in bounded memory, and reported when a write succeeds", async () => {
    const written: AuditDraft[] = [];
    const emitted: Happening[] = [];
    let broken = true;
    const suppressed = createSuppressedEntries({
      append: async (entry) => {
        if (broken) {
          throw new Error("full");
        }
        written.push(entry);
      },
      now: () => 5,
      emit: (happening) => {
        emitted.push(happening);
      },
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
    expect(emitted).toHaveLength(1001);
    expect(emitted[0]).toEqual({ type: "audit.suppressed", count: 1 });
    expect(written[0]).toMatchObject({
      action: "audit.suppressed",
      metadata: { count: 1001, reasons: { bad_signature: 500, x: 501 } },
    });
    const addresses = written[0]!.metadata["addresses"] as object;
    expect(Object.keys(addresses)).toHaveLength(21);
    expect(addresses).toMatchObject({ "10.0.0.0": 2, others: 980 });
  });
});
