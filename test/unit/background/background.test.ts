import { describe, expect, it } from "@jest/globals";
import {
  type BackgroundService,
  createLifecycle,
} from "../../../src/background/background-service.ts";
import { createInterruptibleSleep } from "../../../src/background/interruptible-sleep.ts";
import { createCommitChanges } from "../../../src/store/commits.ts";

describe("a lifecycle", () => {
  const services = (
    log: string[],
    failing: Readonly<Record<string, "start" | "stop">>,
  ): BackgroundService[] =>
    ["a", "b", "c"].map((name) => {
      const step = (what: "start" | "stop") => async (): Promise<void> => {
        log.push(`${what} ${name}`);
        if (failing[name] === what) {
          throw new Error(name);
        }
      };
      return { start: step("start"), stop: step("stop") };
    });

  it("starts its services in order, and stops them once in reverse order", async () => {
    const log: string[] = [];
    const lifecycle = createLifecycle(services(log, {}));
    await lifecycle.start();
    await lifecycle.stop();
    await lifecycle.stop();
    expect(log).toEqual([
      ...["start a", "start b", "start c"],
      ...["stop c", "stop b", "stop a"],
    ]);
  });

  it("stops what has started when a start fails, and throws the error of the start", async () => {
    const log: string[] = [];
    const lifecycle = createLifecycle(services(log, { a: "stop", c: "start" }));
    await expect(lifecycle.start()).rejects.toThrow("c");
    expect(log).toEqual(["start a", "start b", "start c", "stop b", "stop a"]);
  });

  it("stops all services when one fails to stop, and throws the first error", async () => {
    const log: string[] = [];
    const lifecycle = createLifecycle(services(log, { b: "stop", a: "stop" }));
    await lifecycle.start();
    await expect(lifecycle.stop()).rejects.toThrow("b");
    expect(log.slice(3)).toEqual(["stop c", "stop b", "stop a"]);
  });
});

describe("an interruptible sleep", () => {
  it("ends when it is woken, or returns at once after an earlier wake-up", async () => {
    const { wake, sleep } = createInterruptibleSleep();
    const sleeping = sleep(3_600_000);
    wake();
    await sleeping;
    wake();
    await sleep(3_600_000);
    const again = sleep(3_600_000);
    wake();
    await expect(again).resolves.toBeUndefined();
  });
});

describe("the changes of a commit", () => {
  it("include only those of the transaction, and none after a rollback", () => {
    const changes = createCommitChanges();
    changes.becomesDue("a");
    changes.appended(7, "x");
    changes.recorded();
    changes.take(1);
    changes.becomesDue("b");
    changes.becomesDue("b");
    changes.appended(7, "y");
    changes.appended(8, "z");
    const failed = {
      source: "hex",
      eventId: "evt_1",
      eventType: "a",
      destination: "b",
      attempt: 5,
      failure: { reason: "process_died" },
    };
    changes.exhausted(failed);
    changes.recorded();
    changes.recorded();
    expect(changes.take(2.5)).toEqual({
      entries: [
        { position: 7, line: "y" },
        { position: 8, line: "z" },
      ],
      due: new Set(["b"]),
      exhausted: [failed],
      records: 2,
      durationMs: 2.5,
    });
    changes.exhausted(failed);
    changes.recorded();
    changes.discard();
    expect(changes.take(1)).toMatchObject({
      entries: [],
      exhausted: [],
      records: 0,
    });
  });
});
