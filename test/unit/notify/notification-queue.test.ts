import { beforeEach, describe, expect, it } from "@jest/globals";
import type { Notification } from "../../../src/notify/notification.ts";
import {
  createNotificationQueue,
  type NotificationQueue,
} from "../../../src/notify/notification-queue.ts";

const START = 1_800_000_000_000;

let elapsed: number;
let ids: number;
let queue: NotificationQueue;

const exhausted = (subject: string, data: object = {}): Notification => ({
  type: "delivery.exhausted",
  subject,
  data: { ...data },
});
const opened = (subject: string): Notification => ({
  type: "breaker.opened",
  subject,
  data: {},
});

beforeEach(() => {
  elapsed = 0;
  ids = 0;
  queue = createNotificationQueue(
    {
      now: () => START + elapsed,
      monotonic: () => elapsed,
      randomHex: () => String((ids += 1)),
    },
    { max: 3, intervalMs: 60_000 },
  );
});

describe("a notification", () => {
  it("is due at once if it is the first of its type and subject", () => {
    queue.add(exhausted("a"));
    queue.add(exhausted("b"));
    queue.add(opened("a"));
    expect(queue.nextDueAt()).toBe(0);
    const taken = [queue.take(), queue.take(), queue.take()];
    expect(
      taken.map((one) => [one?.latest.type, one?.latest.subject, one?.count]),
    ).toEqual([
      ["delivery.exhausted", "a", 1],
      ["delivery.exhausted", "b", 1],
      ["breaker.opened", "a", 1],
    ]);
    expect(queue.take()).toBeNull();
    expect(queue.nextDueAt()).toBeNull();
  });

  it("is merged with one that waits, has the latest facts and another id", () => {
    queue.add(exhausted("a", { n: 1 }));
    elapsed = 5;
    queue.add(exhausted("a", { n: 2 }));
    expect(queue.take()).toMatchObject({
      latest: { data: { n: 2 } },
      count: 2,
      since: START,
      at: START + 5,
      id: "ntf_2",
    });
  });

  it("is sent at most once a minute for one type and subject", () => {
    queue.add(exhausted("a"));
    queue.take();
    elapsed = 1000;
    queue.add(exhausted("a"));
    queue.add(exhausted("a"));
    expect(queue.take()).toBeNull();
    expect(queue.nextDueAt()).toBe(60_000);
    elapsed = 60_000;
    expect(queue.take()).toMatchObject({ count: 2, since: START + 1000 });
    elapsed = 120_000;
    queue.add(exhausted("a"));
    expect(queue.take()).toMatchObject({ count: 1 });
  });

  it("keeps its id when it is put back, and waits for its next attempt", () => {
    queue.add(exhausted("a"));
    const failed = queue.take()!;
    queue.putBack(failed, 5000);
    expect(queue.take()).toBeNull();
    elapsed = 5000;
    expect(queue.take()).toEqual({ ...failed, failures: 1, dueAt: 5000 });
  });

  it("is merged with a newer one when it is put back", () => {
    queue.add(exhausted("a", { n: 1 }));
    const failed = queue.take()!;
    elapsed = 10;
    queue.add(exhausted("a", { n: 2 }));
    queue.putBack(failed, 5000);
    elapsed = 5000;
    expect(queue.take()).toMatchObject({
      latest: { data: { n: 2 } },
      count: 2,
      since: START,
      failures: 1,
      id: "ntf_2",
    });
    expect(queue.take()).toBeNull();
  });
});

describe("a full queue", () => {
  it("drops the oldest notification of the same type", () => {
    for (const one of [opened("a"), exhausted("b"), exhausted("c")]) {
      expect(queue.add(one)).toBeNull();
    }
    expect(queue.add(exhausted("d"))?.latest).toEqual(exhausted("b"));
    expect(queue.takeAll().map(({ latest }) => latest)).toEqual([
      opened("a"),
      exhausted("c"),
      exhausted("d"),
    ]);
  });

  it("drops the oldest of all for a type that does not wait", () => {
    for (const name of ["a", "b", "c"]) {
      queue.add(exhausted(name));
    }
    expect(queue.add(opened("a"))?.latest).toEqual(exhausted("a"));
  });

  it("still merges repeats", () => {
    for (const name of ["a", "b", "c", "a"]) {
      expect(queue.add(exhausted(name))).toBeNull();
    }
    expect(queue.take()).toMatchObject({ count: 2 });
  });
});
