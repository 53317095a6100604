import { beforeEach, describe, expect, it } from "@jest/globals";
import path from "node:path";
import { createFileSink } from "../../../../src/audit/sinks/file-sink.ts";
import { startSinkPump } from "../../../../src/audit/sinks/sink-pump.ts";
import { cleanUp } from "../../../support/cleanup.ts";
import { eventually } from "../../../support/eventually.ts";
import { openTestStore } from "../../../support/open-test-store.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const inFolder = (name: string): string => path.join(folder.path, name);

describe("the process that feeds a sink", () => {
  it("saves its position while the sink fails too, so that no entry is purged that the sink needs", async () => {
    let now = 1_000_000;
    const store = await openTestStore(folder.path, { now: () => now });
    const position = { position: 0, sending: 0, degradedSince: null };
    await store.saveSinkPosition("file", position);
    await store.append({
      at: now,
      action: "store.failed",
      userId: "system",
      resource: "store",
      result: "failure",
      metadata: {},
    });
    now += 30 * 3_600_000;
    const feeder = startSinkPump({
      store,
      sink: {
        ...createFileSink(inFolder("none/audit.log")),
        shared: true,
      },
      initial: position,
      report: () => undefined,
      now: () => now,
      monotonic: () => performance.now(),
      random: () => 0,
      onError: () => undefined,
      times: { poll: 10 },
    });
    cleanUp(() => feeder.stop(0));
    const seen = await eventually(async () =>
      (await store.savedSinks()).find(({ savedAt }) => savedAt === now),
    );
    expect(seen).toMatchObject({ name: "file", position: 0 });
  });
});

describe("a process while another one feeds the sink", () => {
  it("does not change the position that the other has saved, even when it stops", async () => {
    const store = await openTestStore(folder.path);
    const saved = { position: 7, sending: 9, degradedSince: 1_000_000 };
    await store.saveSinkPosition("file", saved);
    let asked = 0;
    const feeder = startSinkPump({
      store: {
        ...store,
        holdLease: async () => {
          asked += 1;
          return false;
        },
      },
      sink: createFileSink(inFolder("audit.log")),
      // The position when this process started. The other process has continued since then.
      initial: { position: 0, sending: 0, degradedSince: null },
      report: () => undefined,
      now: Date.now,
      monotonic: () => performance.now(),
      random: () => 0,
      onError: () => undefined,
      times: { poll: 10 },
    });
    cleanUp(() => feeder.stop(0));
    await eventually(() => asked === 2);
    expect(await store.sinkPosition("file")).toEqual(saved);
    await feeder.stop(0);
    expect(await store.sinkPosition("file")).toEqual(saved);
  });
});
