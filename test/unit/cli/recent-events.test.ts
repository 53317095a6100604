import { describe, expect, it } from "@jest/globals";
import { hash as digest } from "node:crypto";
import { createRecentEvents } from "../../../src/cli/listen/recent-events.ts";
import { WEBHOOK_REQUEST } from "../../support/fixtures.ts";

function recorder(limit = 100) {
  const { record } = createRecentEvents(limit);
  let claims = 0;
  return (
    id: string,
    body: string,
    options: {
      idSigned?: boolean;
      claim?: string;
      source?: string;
      coversKey?: boolean;
    } = {},
  ) => {
    const { idSigned = true, claim = `claim-${(claims += 1)}` } = options;
    const { source = "one", coversKey = true } = options;
    return record({
      event: {
        source,
        id,
        idSigned,
        type: "t",
        receivedAt: 0,
        contentType: "application/json",
        headers: "{}",
        body: Buffer.from(body),
      },
      deliveries: [],
      claim: {
        signedAt: 1,
        replayKey: Buffer.from(claim),
        coversKey,
        sharedWith: ["one", "other"].filter((name) => name !== source),
      },
      request: WEBHOOK_REQUEST,
    });
  };
}

describe("the memory of listen", () => {
  it("decides by signed ids as a store does", async () => {
    const record = recorder();
    const outcomes = [
      await record("a", "1", { claim: "x" }),
      await record("a", "1", { claim: "x" }),
      await record("a", "1"),
      await record("a", "2", { claim: "y" }),
      await record("a", "2", { claim: "y" }),
      await record("b", "1"),
    ];
    expect(outcomes.map(({ outcome }) => outcome)).toEqual([
      "accepted",
      "replayed",
      "duplicate",
      "conflict",
      "replayed_conflict",
      "accepted",
    ]);
  });

  it("decides by bodies if ids are not signed, and keeps ids unique", async () => {
    const record = recorder();
    const idSigned = false;
    const suffix = `~${digest("sha256", "2", "hex").slice(0, 12)}`;
    expect(await record("a", "1", { idSigned })).toEqual({
      outcome: "accepted",
      id: "a",
    });
    expect(await record("b", "1", { idSigned })).toEqual({
      outcome: "duplicate",
      id: "a",
    });
    expect(await record("a", "2", { idSigned })).toEqual({
      outcome: "accepted",
      id: `a${suffix}`,
    });
    expect(await record(`a${suffix}`, "3", { idSigned })).toMatchObject({
      outcome: "accepted",
      id: expect.stringContaining(`a${suffix}~`),
    });
  });

  it("recognises a replay for another source with the same secret", async () => {
    const record = recorder();
    await record("a", "1", { claim: "x" });
    const other = { source: "other" };
    expect(await record("a", "1", { claim: "x", ...other })).toMatchObject({
      outcome: "replayed",
    });
    expect(await record("a", "1", other)).toMatchObject({
      outcome: "accepted",
    });
  });

  it("recognises a replay whose body the signature does not cover", async () => {
    const record = recorder();
    const claim = { claim: "x", coversKey: false };
    await record("a", "1", claim);
    expect(await record("b", "2", claim)).toMatchObject({
      outcome: "replayed",
    });
  });

  it("forgets the oldest events", async () => {
    const record = recorder(2);
    for (const id of ["a", "b", "c"]) {
      await record(id, "1");
    }
    expect((await record("c", "1")).outcome).toBe("duplicate");
    expect((await record("a", "1")).outcome).toBe("accepted");
  });
});
