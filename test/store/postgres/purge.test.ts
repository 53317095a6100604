import { describe, expect, it } from "@jest/globals";
import type { ParsedEntry } from "../../../src/audit/parsed-entry.ts";
import { parseEntry } from "../../../src/audit/parsed-entry.ts";
import {
  detachPartition,
  type RunAlone,
  runAlone,
} from "../../../src/store/postgres/drop-partition.ts";
import { createEventReader } from "../../../src/store/postgres/events.ts";
import { createPurger } from "../../../src/store/postgres/purge.ts";
import { createDayPurger } from "../../../src/store/postgres/purge-day.ts";
import { openConnection, runSql } from "../../support/postgres.ts";
import { openLane } from "../../support/postgres-lane.ts";
import { createDay, createTables } from "../../support/postgres-tables.ts";

const DAY_MS = 86_400_000;
const TODAY = 20_000;
const NOW = TODAY * DAY_MS + 1000;

describe("the purge of events on PostgreSQL", () => {
  let lanes = 0;

  async function openStore() {
    const tables = await createTables();
    const { url, target, pool } = tables;

    /** Adds an event without a signed id: it has rows in all tables. */
    async function add(
      seq: number,
      day: number,
      states: readonly ("pending" | "succeeded")[] = ["succeeded"],
    ): Promise<void> {
      for (const table of ["event", "ended_delivery", "attempt"]) {
        await createDay(url, table, day);
      }
      const id = Buffer.from(`e${seq}`);
      await runSql(
        url,
        `INSERT INTO event VALUES ($1, $2, 'hex', $3, 't', $4, 'application/json', '{}', sha256($3), $3, false)`,
        [day, seq, id, day * DAY_MS + 5],
      );
      await runSql(
        url,
        "INSERT INTO event_id VALUES ('hex', $1, $2, $3, sha256($1))",
        [id, day, seq],
      );
      await runSql(
        url,
        "INSERT INTO unsigned_event VALUES ('hex', sha256($1), $1, $2)",
        [id, seq],
      );
      for (const [n, state] of states.entries()) {
        const delivery = seq * 10 + n;
        await runSql(
          url,
          state === "pending"
            ? `INSERT INTO pending_delivery (id, day, event_seq, destination, attempt, due_at, pending_since)
               VALUES ($1, $2, $3, 'd', 1, 0, 0)`
            : `INSERT INTO ended_delivery (id, day, event_seq, destination, state, attempt, uncounted, crashes)
               VALUES ($1, $2, $3, 'd', 'succeeded', 1, 0, 0)`,
          [delivery, day, seq],
        );
        await runSql(
          url,
          "INSERT INTO attempt (day, delivery_id, attempt, ok) VALUES ($1, $2, 1, true)",
          [day, delivery],
        );
      }
    }

    /** A process run: with a lane, and its own way to run long statements. */
    function start(alone: RunAlone = runAlone(target, 20_000)) {
      lanes += 1;
      const { lane } = openLane(tables, `w${lanes}`, () => NOW);
      const deps = { pool, lane, alone };
      const purge = createPurger(deps);
      return {
        lane,
        days: createDayPurger(deps),
        purgeAll: async (receivedBefore: number): Promise<number> => {
          let events = 0;
          let from: number | null = null;
          do {
            const step: Awaited<ReturnType<typeof purge>> = await purge({
              now: NOW,
              receivedBefore,
              from,
            });
            events += step.purged.events;
            from = step.next;
          } while (from !== null);
          return events;
        },
      };
    }

    const column = async (text: string): Promise<unknown[]> =>
      (await runSql(url, text)).map((row) => Object.values(row)[0]);

    return {
      ...tables,
      add,
      start,
      column,
      async purgedEntries(): Promise<ParsedEntry[]> {
        const lines = await column(
          "SELECT line FROM audit_entry ORDER BY position",
        );
        return lines
          .map((line) => parseEntry(String(line))!)
          .filter(({ action }) => action === "retention.purged");
      },
      /** The tables that hold rows of events or should not exist any more. */
      async leftovers() {
        return {
          events: await column("SELECT seq FROM event ORDER BY seq"),
          ids: await column("SELECT seq FROM event_id ORDER BY seq"),
          bodies: await column("SELECT seq FROM unsigned_event ORDER BY seq"),
          deliveries: await column("SELECT id FROM delivery ORDER BY id"),
          attempts: await column(
            "SELECT delivery_id FROM attempt ORDER BY delivery_id",
          ),
          tables: await column(
            "SELECT relname FROM pg_class WHERE relname ~ '_x\\d+$' AND relkind = 'r'",
          ),
          days: await column("SELECT day FROM expired_day"),
        };
      },
    };
  }

  /** Two events of an expired day, one of them pending, and one of a day that has not expired. */
  async function withExpiredDay() {
    const store = await openStore();
    await store.add(1, 10, ["succeeded", "succeeded"]);
    await store.add(2, 10, ["pending", "succeeded"]);
    await store.add(3, 11);
    return store;
  }

  const AFTER_PURGE = {
    events: [2, 3],
    ids: [2, 3],
    bodies: [2, 3],
    deliveries: [20, 21, 30],
    attempts: [20, 21, 30],
    tables: [],
    days: [],
  };

  it("drops whole days, keeps pending events with all that belongs to them, and signs one entry", async () => {
    const store = await withExpiredDay();
    const { purgeAll } = store.start();
    expect(await purgeAll(11 * DAY_MS)).toBe(1);
    expect(await store.leftovers()).toEqual(AFTER_PURGE);
    expect(await store.column("SELECT day FROM event ORDER BY seq")).toEqual([
      -1, 11,
    ]);
    expect(await store.column("SELECT day FROM pending_delivery")).toEqual([
      -1,
    ]);
    expect(await store.purgedEntries()).toMatchObject([
      { metadata: { events: 1, deliveries: 2, attempts: 2 } },
    ]);
    const lines = await store.column(
      "SELECT line FROM audit_entry ORDER BY position",
    );
    expect(parseEntry(String(lines.at(-1)))!.action).toBe("audit.checkpoint");
  });

  it("keeps the events of a day until the whole day has expired", async () => {
    const store = await withExpiredDay();
    expect(await store.start().purgeAll(11 * DAY_MS - 1)).toBe(0);
    expect(await store.column("SELECT seq FROM event ORDER BY seq")).toEqual([
      1, 2, 3,
    ]);
  });

  it("deletes kept events when they are no longer pending", async () => {
    const store = await withExpiredDay();
    const { purgeAll } = store.start();
    await purgeAll(11 * DAY_MS);
    expect(await purgeAll(11 * DAY_MS)).toBe(0);
    await runSql(store.url, "DELETE FROM pending_delivery");
    expect(await purgeAll(11 * DAY_MS)).toBe(1);
    expect(await store.leftovers()).toMatchObject({ events: [3], ids: [3] });
    expect(await store.purgedEntries()).toMatchObject([
      { metadata: { events: 1 } },
      { metadata: { events: 1, deliveries: 1 } },
    ]);
  });

  it("resumes after a kill between any two steps", async () => {
    for (let killedAfter = 1; ; killedAfter += 1) {
      const store = await withExpiredDay();
      const killed = store.start();
      let isDone = false;
      for (let n = 0; n < killedAfter && !isDone; n += 1) {
        const request = { now: NOW, receivedBefore: 11 * DAY_MS };
        ({ isDone } = await killed.days.step(10, request));
      }
      await store.start().purgeAll(11 * DAY_MS);
      expect(await store.leftovers()).toEqual(AFTER_PURGE);
      expect(await store.purgedEntries()).toMatchObject([
        { metadata: { events: 1, deliveries: 2, attempts: 2 } },
      ]);
      if (isDone) {
        break;
      }
    }
  });

  it("resumes after a kill between any two statements that detach and drop", async () => {
    let survived = 0;
    for (let killedAt = 1; survived === 0; killedAt += 1) {
      const store = await withExpiredDay();
      let commands = 0;
      const killed = store.start((work) =>
        runAlone(
          store.target,
          20_000,
        )((connection) =>
          work({
            ...connection,
            command: async (text) => {
              commands += 1;
              if (commands === killedAt) {
                throw new Error("killed");
              }
              return connection.command(text);
            },
          }),
        ),
      );
      const isKilled = await killed.purgeAll(11 * DAY_MS).then(
        () => false,
        () => true,
      );
      await store.start().purgeAll(11 * DAY_MS);
      expect(await store.leftovers()).toEqual(AFTER_PURGE);
      expect(await store.purgedEntries()).toHaveLength(1);
      if (!isKilled) {
        survived = killedAt;
      }
    }
    // The statements that detach and drop were all reached.
    expect(survived).toBeGreaterThan(8);
  });

  it("finishes a detachment that was interrupted while it waited for a transaction", async () => {
    const store = await withExpiredDay();
    const reader = await openConnection(store.url);
    await reader.query("BEGIN");
    await reader.query("SELECT count(*) FROM event");
    const interrupted = store.start(runAlone(store.target, 400));
    await expect(interrupted.purgeAll(11 * DAY_MS)).rejects.toThrow();
    await reader.query("COMMIT");
    await store.start().purgeAll(11 * DAY_MS);
    expect(await store.leftovers()).toEqual(AFTER_PURGE);
  });

  it("hides the events of a day as soon as their deletion is reported", async () => {
    const store = await withExpiredDay();
    const { days } = store.start();
    const events = createEventReader(store.pool, () => NOW);
    const request = { now: NOW, receivedBefore: 11 * DAY_MS };
    for (let purged = 0; purged === 0;) {
      expect(await events.findEvents("e1")).toHaveLength(1);
      ({
        purged: { events: purged },
      } = await days.step(10, request));
    }
    expect(await store.column("SELECT seq FROM event WHERE day = 10")).toEqual([
      1,
    ]);
    expect(await events.findEvents("e1")).toEqual([]);
    expect(await events.readBody(1)).toBeNull();
    const filter = {
      state: null,
      destination: null,
      source: null,
      type: null,
      since: null,
      until: null,
    };
    const { events: found } = await events.scanEvents({
      filter,
      order: "oldest",
      from: null,
      limit: 10,
    });
    expect(found.map(({ seq }) => seq)).toEqual([2, 3]);
  });

  it("keeps an event that an operator redelivers while its day is deleted", async () => {
    const store = await withExpiredDay();
    const { days, purgeAll } = store.start();
    const request = { now: NOW, receivedBefore: 11 * DAY_MS };
    for (let purged = 0; purged === 0;) {
      ({
        purged: { events: purged },
      } = await days.step(10, request));
    }
    await runSql(store.url, "DELETE FROM ended_delivery WHERE id = 10");
    await runSql(
      store.url,
      `INSERT INTO pending_delivery (id, day, event_seq, destination, attempt, due_at, pending_since)
       VALUES (10, 10, 1, 'd', 1, 0, 0)`,
    );
    await purgeAll(11 * DAY_MS);
    expect(await store.leftovers()).toEqual({
      ...AFTER_PURGE,
      events: [1, 2, 3],
      ids: [1, 2, 3],
      bodies: [1, 2, 3],
      deliveries: [10, 11, 20, 21, 30],
      attempts: [10, 11, 20, 21, 30],
    });
  });

  it("does not wait long for a backup, because claims would wait behind it", async () => {
    const { url, target } = await createTables();
    await createDay(url, "event", 10);
    const backup = await openConnection(url);
    await backup.query("BEGIN");
    await backup.query("LOCK TABLE event_d10 IN ACCESS SHARE MODE");
    const patient = runAlone(target, 600_000);
    const detach = () =>
      patient((connection) => detachPartition(connection, "event", 10));
    await expect(detach()).rejects.toMatchObject({ code: "POSTGRES_TIMEOUT" });
    await backup.query("COMMIT");
    await detach();
  });
});
