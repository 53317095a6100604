import { describe, expect, it } from "@jest/globals";
import { createLeases } from "../../../src/store/postgres/leases.ts";
import { createSinkTable } from "../../../src/store/postgres/sinks.ts";
import { runSql } from "../../support/postgres.ts";
import { createTables } from "../../support/postgres-tables.ts";

describe("the leases of a PostgreSQL store", () => {
  async function openLeases() {
    const { url, pool } = await createTables();
    let monotonic = 0;
    const processOf = (writer: string) =>
      createLeases(pool, writer, () => monotonic);
    return {
      url,
      pool,
      processOf,
      pass: (ms: number) => {
        monotonic += ms;
      },
      /** Moves the end of all leases, as if time had passed by the database's clock. */
      age: (ms: number) =>
        runSql(url, "UPDATE lease SET held_until = held_until - $1", [ms]),
    };
  }

  it("are held by one process, and taken over when they have ended", async () => {
    const { processOf, pass, age } = await openLeases();
    const [one, two] = [processOf("one"), processOf("two")];
    expect(await one.hold("sinks")).toBe(true);
    expect(await two.hold("sinks")).toBe(false);
    expect(await two.hold("maintenance")).toBe(true);
    await age(10_001);
    expect(await two.hold("sinks")).toBe(true);
    // The first process was stopped meanwhile.
    pass(3000);
    expect(await one.hold("sinks")).toBe(false);
  });

  it("are renewed by their holder after three seconds", async () => {
    const { processOf, pass, age } = await openLeases();
    const [one, two] = [processOf("one"), processOf("two")];
    await one.hold("sinks");
    for (let n = 0; n < 5; n += 1) {
      pass(3000);
      await age(3000);
      expect(await one.hold("sinks")).toBe(true);
      expect(await two.hold("sinks")).toBe(false);
    }
  });

  it("are free at once after a clean end of their holder", async () => {
    const { processOf } = await openLeases();
    const [one, two] = [processOf("one"), processOf("two")];
    await one.hold("sinks");
    await one.release();
    expect(await two.hold("sinks")).toBe(true);
  });

  it("can be taken if their end lies too far ahead, because a clock was set back", async () => {
    const { processOf, age } = await openLeases();
    await processOf("one").hold("sinks");
    await age(-3_600_000);
    expect(await processOf("two").hold("sinks")).toBe(true);
  });

  it("let only their holder move a sink that has a position", async () => {
    const { pool, processOf, age } = await openLeases();
    const sinkOf = (writer: string) => createSinkTable(pool, writer, () => 5);
    const at = (position: number) => ({
      position,
      sending: position,
      degradedSince: null,
    });
    expect(await sinkOf("one").saveSinkPosition("file", at(1))).toBe(true);
    expect(await sinkOf("one").saveSinkPosition("file", at(2))).toBe(false);
    await processOf("one").hold("sinks");
    expect(await sinkOf("one").saveSinkPosition("file", at(2))).toBe(true);
    await age(10_001);
    expect(await sinkOf("one").saveSinkPosition("file", at(3))).toBe(false);
    await processOf("two").hold("sinks");
    expect(await sinkOf("one").saveSinkPosition("file", at(3))).toBe(false);
    expect(await sinkOf("two").saveSinkPosition("file", at(4))).toBe(true);
    expect(await sinkOf("one").sinkPosition("file")).toEqual(at(4));
  });

  it("hold purges for all processes, also after the end of the one that asked for it", async () => {
    const { processOf, age } = await openLeases();
    const one = processOf("one");
    expect(await one.arePurgesHeld()).toBe(false);
    await one.holdPurges(86_400_000);
    await one.release();
    expect(await processOf("two").arePurgesHeld()).toBe(true);
    await age(86_400_001);
    expect(await processOf("two").arePurgesHeld()).toBe(false);
  });

  it("hold no purges once the wrong clock was corrected", async () => {
    const { processOf, age } = await openLeases();
    await processOf("one").holdPurges(86_400_000);
    await age(-1_000_000);
    expect(await processOf("two").arePurgesHeld()).toBe(false);
  });
});
