import { describe, expect, it } from "@jest/globals";
import { createAuditReader } from "../../../src/store/postgres/audit-reader.ts";
import {
  createTrailGaps,
  positionHolders,
} from "../../../src/store/postgres/trail-gaps.ts";
import { openConnection } from "../../support/postgres.ts";
import { createDay, createTables } from "../../support/postgres-tables.ts";

const DAY = 20_000;

describe("the wait for a missing position", () => {
  /** Each look at the running transactions returns the next of these lists; the last one repeats. */
  const gapsOf = (looks: readonly string[][], waitMs = 60_000) => {
    let n = 0;
    const holders = async () => new Set(looks[Math.min(n++, looks.length - 1)]);
    return createTrailGaps(holders, { waitMs, lookEveryMs: 1 });
  };

  it("ends at once if no transaction runs", async () => {
    expect(await gapsOf([[]]).settle(5)).toBe(true);
  });

  it("ends when the transactions of its beginning have ended, while later ones run", async () => {
    const gaps = gapsOf([
      ["a", "b"],
      ["b", "c"],
      ["c", "d"],
    ]);
    expect(await gaps.settle(5)).toBe(true);
  });

  it("is given up while one of the transactions of its beginning runs", async () => {
    const gaps = gapsOf([["a", "b"], ["b"]], 50);
    expect(await gaps.settle(5)).toBe(false);
  });

  it("is not repeated for positions that are settled", async () => {
    const gaps = gapsOf([[], ["a"]], 50);
    expect(await gaps.settle(5)).toBe(true);
    expect(await gaps.settle(4)).toBe(true);
    expect(await gaps.settle(6)).toBe(false);
  });
});

describe("a reader that follows the trail", () => {
  async function openTrail() {
    const { url, pool } = await createTables();
    await createDay(url, "audit_entry", DAY);
    const gaps = createTrailGaps(() => positionHolders(pool), {
      waitMs: 20,
      lookEveryMs: 1,
    });
    return { url, pool, reader: createAuditReader(pool, gaps) };
  }

  /** Opens a connection that writes entries as a process does. */
  async function openWriter(url: string) {
    const connection = await openConnection(url);
    const run = (text: string) => connection.query(text);
    return {
      begin: () => run("BEGIN"),
      takeId: () => run("SELECT pg_current_xact_id()"),
      write: (line: string, day = DAY) =>
        run(
          `INSERT INTO audit_entry (day, position, writer, seq, line) VALUES (${day}, nextval('audit_position'), 'w', 1, '${line}')`,
        ),
      commit: () => run("COMMIT"),
      rollback: () => run("ROLLBACK"),
    };
  }

  const linesOf = (rows: readonly { line: string }[]) =>
    rows.map(({ line }) => line);

  it("waits for a transaction that has taken an earlier position, also if its id is the later one", async () => {
    const { url, reader } = await openTrail();
    const first = await openWriter(url);
    const second = await openWriter(url);
    await second.begin();
    await second.takeId();
    await first.begin();
    await first.takeId();
    await first.write("a");
    await second.write("b");
    await second.commit();
    // No id below the end of a snapshot is running now, and still "a" may appear.
    expect(await reader.readAudit(0, 10)).toEqual([]);
    await first.commit();
    expect(linesOf(await reader.readAudit(0, 10))).toEqual(["a", "b"]);
  });

  it("skips the positions of a transaction that was rolled back", async () => {
    const { url, reader } = await openTrail();
    const writer = await openWriter(url);
    await writer.write("a");
    await writer.begin();
    await writer.write("b");
    const other = await openWriter(url);
    await other.write("c");
    expect(linesOf(await reader.readAudit(0, 10))).toEqual(["a"]);
    await writer.rollback();
    expect(await reader.readAudit(1, 10)).toMatchObject([
      { position: 3, line: "c" },
    ]);
    expect(await reader.readAudit(3, 10)).toEqual([]);
  });

  it("does not wait for transactions that began after the gap", async () => {
    const { url, reader } = await openTrail();
    const writer = await openWriter(url);
    await writer.begin();
    await writer.write("a");
    await writer.rollback();
    await writer.write("b");
    const later = await openWriter(url);
    await later.begin();
    expect(linesOf(await reader.readAudit(0, 10))).toEqual(["b"]);
    await later.write("c");
    await later.commit();
    expect(linesOf(await reader.readAudit(2, 10))).toEqual(["c"]);
  });

  it("does not wait for a backup, which reads the sequence", async () => {
    const { url, reader } = await openTrail();
    const writer = await openWriter(url);
    await writer.write("a");
    await writer.begin();
    await writer.write("b");
    await writer.rollback();
    await writer.write("c");
    const backup = await openConnection(url);
    await backup.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await backup.query("SELECT last_value FROM audit_position");
    expect(linesOf(await reader.readAudit(0, 10))).toEqual(["a", "c"]);
  });

  it("finds the entries of a process whose clock is years away", async () => {
    const { url, reader } = await openTrail();
    await createDay(url, "audit_entry", 5);
    await createDay(url, "audit_entry", 30_000);
    const writer = await openWriter(url);
    for (const [line, day] of [
      ["a", DAY],
      ["b", 5],
      ["c", 30_000],
      ["d", DAY],
      ["e", 5],
    ] as const) {
      await writer.write(line, day);
    }
    const found: string[] = [];
    let position = 0;
    for (;;) {
      const rows = await reader.readAudit(position, 2);
      if (rows.length === 0) {
        break;
      }
      position = rows.at(-1)!.position;
      found.push(...linesOf(rows));
    }
    expect(found).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("reads a whole page, even if days without entries lie between", async () => {
    const { url, reader } = await openTrail();
    const writer = await openWriter(url);
    const days = [DAY, DAY + 1, DAY + 9, DAY + 300, DAY + 301];
    for (const day of [...days, DAY + 100, DAY + 302]) {
      await createDay(url, "audit_entry", day);
    }
    for (const day of days) {
      await writer.write(String(day), day);
    }
    expect(linesOf(await reader.readAudit(0, 100))).toEqual(days.map(String));
    expect(linesOf(await reader.readAudit(1, 3))).toEqual(
      days.slice(1, 4).map(String),
    );
  });

  it("misses and repeats nothing while transactions commit in any order", async () => {
    const { url, reader } = await openTrail();
    const writers = await Promise.all(
      Array.from({ length: 5 }, () => openWriter(url)),
    );
    const committed: string[] = [];
    let running = writers.length;
    const write = async (w: number): Promise<void> => {
      const writer = writers[w]!;
      for (let n = 0; n < 40; n += 1) {
        await writer.begin();
        await writer.write(`${w}.${n}.0`);
        // The other connections commit meanwhile.
        await writer.takeId();
        await writer.write(`${w}.${n}.1`);
        if ((n + w) % 4 === 0) {
          await writer.rollback();
        } else {
          await writer.commit();
          committed.push(`${w}.${n}.0`, `${w}.${n}.1`);
        }
      }
      running -= 1;
    };
    const writing = Promise.all(writers.map((_, w) => write(w)));
    const found: string[] = [];
    let position = 0;
    for (let idle = false; !idle;) {
      idle = running === 0;
      const rows = await reader.readAudit(position, 7);
      for (const row of rows) {
        expect(row.position).toBeGreaterThan(position);
        position = row.position;
        found.push(row.line);
        idle = false;
      }
    }
    await writing;
    expect(found.sort()).toEqual(committed.sort());
  });
});
