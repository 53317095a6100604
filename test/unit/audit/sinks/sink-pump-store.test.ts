import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  type AuditSink,
  SinkError,
  type SinkRow,
} from "../../../../src/audit/sinks/sink.ts";
import { savedPosition } from "../../../../src/audit/sinks/sink-progress.ts";
import {
  type SinkPump,
  type SinkPumpDeps,
  startSinkPump,
} from "../../../../src/audit/sinks/sink-pump.ts";
import { StoreError } from "../../../../src/errors.ts";
import { cleanUp } from "../../../support/cleanup.ts";
import { eventually } from "../../../support/eventually.ts";
import {
  draftOf,
  openStoreOfKind,
  SQLITE,
  type TestStore,
} from "../../../support/stores.ts";

const BUSY = new StoreError("locked", { code: "SQLITE_BUSY", fatal: false });

describe("the pump of a sink", () => {
  let test: TestStore;
  let taken: number[];
  let batches: number[][];
  let errors: unknown[];
  let pump: SinkPump;

  beforeEach(async () => {
    test = await openStoreOfKind(SQLITE);
    taken = [];
    batches = [];
    errors = [];
  });

  async function start(
    options: {
      sink?: Partial<AuditSink>;
      store?: Partial<SinkPumpDeps["store"]>;
      take?: (rows: readonly SinkRow[]) => void;
    } = {},
  ): Promise<void> {
    const store = { ...test.store(), ...options.store };
    pump = startSinkPump({
      store,
      sink: {
        name: "file",
        maxRows: 3,
        maxBytes: 1_000_000,
        lingerMs: 0,
        shared: true,
        exact: false,
        write: async (rows) => {
          batches.push(rows.map(({ position }) => position));
          options.take?.(rows);
          taken.push(...rows.map(({ position }) => position));
        },
        ...options.sink,
      },
      initial: await savedPosition(test.store(), "file", 0),
      report: () => undefined,
      now: Date.now,
      monotonic: () => performance.now(),
      random: () => 0,
      onError: (error) => errors.push(error),
    });
    cleanUp(() => pump.stop(0));
  }

  const append = async (count: number) => {
    for (let n = 0; n < count; n += 1) {
      await test.store().append(draftOf("config.reloaded"));
    }
    pump.wake();
  };
  const savedTo = async () =>
    (await test.store().sinkPosition("file"))!.position;

  it("continues after errors of the store, reports them once, and skips no entry", async () => {
    const { readAudit } = test.store();
    let failures = 2;
    await start({
      store: {
        readAudit: async (position, limit) => {
          failures -= 1;
          if (failures >= 0) {
            throw BUSY;
          }
          return readAudit(position, limit);
        },
      },
    });
    await append(5);
    await eventually(() => taken.length === 5);
    expect(taken).toEqual([1, 2, 3, 4, 5]);
    expect(errors).toEqual([BUSY]);
  });

  it("writes rejected entries again in order, and saves their position only afterwards", async () => {
    const meanwhile: Promise<number>[] = [];
    await start({
      take: () => {
        if (meanwhile.length === 0) {
          meanwhile.push(savedTo());
          throw new SinkError("no");
        }
      },
    });
    await append(5);
    await eventually(() => taken.length === 5);
    expect(await Promise.all(meanwhile)).toEqual([0]);
    expect(taken).toEqual([1, 2, 3, 4, 5]);
    await pump.stop(10_000);
    expect(await savedTo()).toBe(5);
  });

  it("writes the remaining entries when it stops", async () => {
    await start();
    await append(2);
    await eventually(() => taken.length === 2);
    for (let n = 0; n < 7; n += 1) {
      await test.store().append(draftOf("config.reloaded"));
    }
    await pump.stop(60_000);
    expect(taken).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await savedTo()).toBe(9);
    expect(batches.every(({ length }) => length <= 3)).toBe(true);
  });

  it("writes entries that were committed while the read before its stop found none", async () => {
    const { readAudit } = test.store();
    let stopped: Promise<void> | undefined;
    await start({
      store: {
        readAudit: async (position, limit) => {
          const rows = await readAudit(position, limit);
          if (stopped === undefined && position === 2) {
            await append(1);
            stopped = pump.stop(60_000);
          }
          return rows;
        },
      },
    });
    await append(2);
    await eventually(() => stopped !== undefined);
    await stopped;
    expect(taken).toEqual([1, 2, 3]);
  });

  it("stops feeding a shared store's sink when it loses the lease, and resumes where the other process has stopped", async () => {
    const lease = { isHeld: true, asked: 0 };
    await start({
      store: {
        isShared: true,
        holdLease: async () => {
          lease.asked += 1;
          return lease.isHeld;
        },
      },
    });
    await append(2);
    await eventually(() => taken.length === 2);

    lease.isHeld = false;
    const { asked } = lease;
    await append(4);
    await eventually(() => lease.asked > asked + 1);
    expect(taken).toEqual([1, 2]);
    const other = { position: 5, sending: 5, degradedSince: null };
    await test.store().saveSinkPosition("file", other);
    await pump.stop(0);
    expect(await savedTo()).toBe(5);

    lease.isHeld = true;
    await start();
    await eventually(() => taken.length === 3);
    expect(taken).toEqual([1, 2, 6]);
    expect(errors).toEqual([]);
  });

  it("takes the saved position when a save shows that another process feeds the sink", async () => {
    const { saveSinkPosition } = test.store();
    const lease = { isHeld: true, refused: 0 };
    await start({
      store: {
        isShared: true,
        holdLease: async () => true,
        saveSinkPosition: async (name, position) => {
          lease.refused += lease.isHeld ? 0 : 1;
          return lease.isHeld && saveSinkPosition(name, position);
        },
      },
      sink: { exact: true },
    });
    await append(2);
    await eventually(async () => (await savedTo()) === 2);
    // The lease was lost and taken back between two checks, and meanwhile another process has written 3 to 5.
    const other = { position: 5, sending: 5, degradedSince: null };
    await saveSinkPosition("file", other);
    lease.isHeld = false;
    await append(3);
    await eventually(() => lease.refused > 0);
    lease.isHeld = true;
    await append(1);
    await eventually(() => taken.includes(6));
    expect(taken).toEqual([1, 2, 6]);
    expect(errors).toEqual([]);
  });

  it("starts after the sink's last line when a process was killed before it saved the position", async () => {
    for (let n = 0; n < 4; n += 1) {
      await test.store().append(draftOf("config.reloaded"));
    }
    const [, second] = await test.store().readAudit(0, 10);
    await start({ sink: { lastLine: async () => second!.line } });
    await append(1);
    await eventually(() => taken.length === 3);
    expect(taken).toEqual([3, 4, 5]);
  });
});
