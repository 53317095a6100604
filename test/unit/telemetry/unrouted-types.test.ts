import { describe, expect, it } from "@jest/globals";
import { createUnroutedTypes } from "../../../src/telemetry/unrouted-types.ts";

describe("warnings of unrouted events", () => {
  it("appear once for each type of a source, with the number so far", () => {
    const unrouted = createUnroutedTypes();
    expect(unrouted.note("hex", "a")).toMatchObject({
      fields: { source: "hex", eventType: "a", unrouted: 1 },
    });
    expect(unrouted.note("hex", "a")).toBeNull();
    expect(unrouted.note("other", "a")).toMatchObject({
      fields: { source: "other", unrouted: 3 },
    });
  });

  it("stop when there are too many types, after a last warning", () => {
    const unrouted = createUnroutedTypes(2);
    const warnings = ["a", "b", "c", "d", "a"].map((type) =>
      unrouted.note("hex", type),
    );
    expect(warnings.slice(0, 3)).toMatchObject([
      { fields: { eventType: "a" } },
      { fields: { eventType: "b" } },
      {
        message: expect.stringContaining("too many types"),
        fields: { types: 2, unrouted: 3 },
      },
    ]);
    expect(warnings.slice(3)).toEqual([null, null]);
  });
});
