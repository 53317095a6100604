import { describe, expect, it } from "@jest/globals";
import { AuditChain } from "../../../src/audit/chain.ts";
import type { ParsedEntry } from "../../../src/audit/parsed-entry.ts";
import { formatEntry } from "../../../src/audit/format-entry.ts";
import { CHECKPOINTS } from "../../support/fixtures.ts";
import { draft } from "../../support/trails.ts";

describe("the readable form", () => {
  const entry = JSON.parse(
    new AuditChain("w", CHECKPOINTS).append(draft(0)).line,
  ) as ParsedEntry;
  const plain = (changes: Partial<ParsedEntry>): string =>
    formatEntry({ ...entry, ...changes }, { colours: false, width: 80 });

  it("has colours only on request, and shows control characters as text", () => {
    const metadata = { eventId: "\u001b[2Jevil\n" };
    expect(plain({ metadata })).toBe(
      "2027-01-15 08:00:00Z ok   webhook.accepted \\u001b[2Jevil\\n",
    );
    expect(
      formatEntry({ ...entry, metadata }, { colours: true, width: 80 }),
    ).toContain("Z \u001b[32mok  \u001b[0m webhook");
  });

  it("wraps at its width onto several lines, and omits neither the id nor the reason", () => {
    const eventId = "evt_01234567-89ab-cdef-0123-456789abcdef";
    const text = plain({
      action: "delivery.failed",
      result: "failure",
      resource: "/destinations/forward",
      metadata: {
        reason: "network",
        detail: "ECONNREFUSED",
        attempt: 3,
        eventId,
        eventType: "resource.created",
      },
    });
    expect(text).toBe(
      [
        "2027-01-15 08:00:00Z FAIL delivery.failed network ECONNREFUSED forward attempt=3",
        `    ${eventId} resource.created`,
      ].join("\n"),
    );
    const long = plain({
      metadata: { eventId: "i".repeat(256), reason: "r".repeat(70), ip: "::1" },
    });
    const widths = long.split("\n").map(({ length }) => length);
    expect(Math.max(...widths)).toBeLessThanOrEqual(80);
    expect(long).toContain("...");
    expect(
      plain({
        result: "failure",
        metadata: { reason: "stale_timestamp", skewSeconds: 3600 },
      }),
    ).toContain("stale_timestamp skew=3600s");
  });

  it("names the source of a request", () => {
    const metadata = { reason: "bad_signature", source: "stripe", status: 401 };
    const action = "webhook.rejected";
    expect(plain({ action, result: "failure", metadata })).toBe(
      "2027-01-15 08:00:00Z FAIL webhook.rejected bad_signature stripe 401",
    );
  });

  it("says when a pause by Retry-After ends", () => {
    expect(
      plain({
        action: "destination.paused",
        resource: "/destinations/billing",
        metadata: {
          reason: "retry_after",
          status: 429,
          until: "2027-01-15T08:00:05.000Z",
        },
      }),
    ).toContain("retry_after billing 429\n    until=2027-01-15T08:00:05.000Z");
  });

  it.each(["errors", "faults"])(
    "shows the errors of a rejected configuration, named %s",
    (name) => {
      expect(
        plain({
          action: "config.reloaded",
          result: "failure",
          resource: "/config",
          metadata: { trigger: "SIGHUP", [name]: ["PORT: is wrong"] },
        }),
      ).toContain("FAIL config.reloaded SIGHUP PORT: is wrong");
    },
  );
});
