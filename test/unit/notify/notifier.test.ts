import { beforeEach, describe, expect, it } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { lookup } from "node:dns";
import { Webhook } from "standardwebhooks";
import type { FailedAttempt } from "../../../src/domain/delivery.ts";
import { createNotifier, type Notifier } from "../../../src/notify/notifier.ts";
import type { Happening } from "../../../src/telemetry/happening.ts";
import { cleanUp } from "../../support/cleanup.ts";
import {
  hang,
  type Reply,
  reply,
  startDestination,
  type TestDestination,
} from "../../support/destinations.ts";
import { eventually } from "../../support/eventually.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

let receiver: TestDestination;
let reported: Happening[];
let target: { url: string; secret: string | null } | null;
let notifier: Notifier;

beforeEach(async () => {
  receiver = await startDestination(reply(204));
  reported = [];
  target = { url: receiver.url, secret: SECRET };
});

function start(options: Parameters<typeof createNotifier>[1] = {}): void {
  notifier = createNotifier(
    {
      target: () => target,
      emit: (happening) => reported.push(happening),
      now: Date.now,
      monotonic: () => performance.now(),
      random: () => 0.5,
      randomHex: (bytes) => randomBytes(bytes).toString("hex"),
      lookup,
      version: "0.0.0-test",
    },
    options,
  );
  cleanUp(() => notifier.stop(0));
}

const FAILED: FailedAttempt = {
  source: "hex",
  eventId: "evt_1",
  eventType: "t",
  destination: "d",
  attempt: 3,
  failure: { reason: "status", status: 500 },
};

const exhausted = (destination = "d"): Happening => ({
  type: "delivery.exhausted",
  ...FAILED,
  destination,
});

/** Returns the messages that the receiver got, once there are `count` of them. */
function received(count: number) {
  return eventually(() =>
    receiver.attempts.length >= count
      ? receiver.attempts.map(({ headers, body }) => ({
          headers,
          text: body.toString("utf8"),
          json: JSON.parse(body.toString("utf8")) as {
            type: string;
            timestamp: string;
            data: Record<string, unknown>;
          },
        }))
      : null,
  );
}

const typesReported = () => reported.map(({ type }) => type);

describe("a notification", () => {
  it.each<[Happening, string, object]>([
    [
      exhausted(),
      "delivery.exhausted",
      {
        destination: "d",
        source: "hex",
        eventId: "evt_1",
        eventType: "t",
        attempt: 3,
        reason: "status",
        status: 500,
      },
    ],
    [
      { type: "breaker.opened", destination: "d", last: FAILED },
      "breaker.opened",
      { destination: "d", reason: "status", status: 500 },
    ],
    [
      {
        type: "sink.degraded",
        facts: {
          sink: "file",
          since: "2026-11-25T10:00:00.000Z",
          reason: "ENOSPC",
          position: 7,
        },
      },
      "sink.degraded",
      {
        sink: "file",
        since: "2026-11-25T10:00:00.000Z",
        reason: "ENOSPC",
        position: 7,
      },
    ],
    [
      {
        type: "secret.aged",
        verdict: "overdue",
        source: "hex",
        secret: "HEX_SECRET",
        keyId: "0123abcd",
        days: 91,
      },
      "secret.overdue",
      { source: "hex", secret: "HEX_SECRET", keyId: "0123abcd", days: 91 },
    ],
    [
      {
        type: "secret.aged",
        verdict: "unknown",
        source: "hex",
        secret: "HEX_SECRET",
        keyId: "0123abcd",
        days: null,
      },
      "secret.overdue",
      { source: "hex", secret: "HEX_SECRET", keyId: "0123abcd" },
    ],
  ])(
    "reports $type, signed as Standard Webhooks",
    async (happening, type, data) => {
      start();
      notifier.notify(happening);
      const [message] = await received(1);
      const headers = message!.headers as Record<string, string>;
      expect(new Webhook(SECRET).verify(message!.text, headers)).toEqual(
        message!.json,
      );
      expect(message!.json).toEqual({
        type,
        timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
        data: { since: message!.json.timestamp, ...data, count: 1 },
      });
      expect(headers["content-type"]).toBe("application/json");
      expect(headers["user-agent"]).toBe("Hexhook/0.0.0-test");
    },
  );

  it("is not made of anything else", async () => {
    start();
    const others: Happening[] = [
      {
        type: "secret.aged",
        verdict: "due",
        source: "hex",
        secret: "HEX_SECRET",
        keyId: "0123abcd",
        days: 80,
      },
      { type: "breaker.closed", destination: "d" },
      { type: "sink.recovered", facts: { sink: "file" } },
      {
        type: "notification.failed",
        notification: "delivery.exhausted",
        subject: "d",
        attempt: 1,
        isLast: true,
        failure: { reason: "timeout" },
      },
    ];
    for (const other of others) {
      notifier.notify(other);
    }
    notifier.notify(exhausted());
    const messages = await received(1);
    await notifier.stop(1000);
    expect(messages.map(({ json }) => json.type)).toEqual([
      "delivery.exhausted",
    ]);
    expect(receiver.attempts).toHaveLength(1);
  });

  it("does not contain the error that a handler threw", async () => {
    start();
    const error = { type: "Error", message: "in-the-payload" };
    const failure = { reason: "handler_threw", error };
    notifier.notify({ type: "delivery.exhausted", ...FAILED, failure });
    const [message] = await received(1);
    expect(message!.json.data["reason"]).toBe("handler_threw");
    expect(message!.text).not.toContain("in-the-payload");
  });

  it("is retried with the same id, and its failures are reported", async () => {
    start({ scheduleMs: [5, 5] });
    receiver.answer((res, count) => {
      res.writeHead(count < 3 ? 500 : 204).end();
    });
    notifier.notify(exhausted());
    const messages = await received(3);
    const ids = messages.map(({ headers }) => headers["webhook-id"]);
    expect(new Set(ids).size).toBe(1);
    expect(reported).toMatchObject([
      { type: "notification.failed", attempt: 1, isLast: false },
      { type: "notification.failed", attempt: 2, isLast: false },
    ]);
  });

  it("is given up after its last attempt", async () => {
    start({ scheduleMs: [5] });
    receiver.answer(reply(500));
    notifier.notify(exhausted());
    await eventually(() => reported.length === 2);
    expect(reported[1]).toEqual({
      type: "notification.failed",
      notification: "delivery.exhausted",
      subject: "d",
      attempt: 2,
      isLast: true,
      failure: { reason: "status", status: 500 },
    });
    await notifier.stop(1000);
    expect(receiver.attempts).toHaveLength(2);
  });

  it("does not follow a redirect", async () => {
    start({ scheduleMs: [] });
    const location = `${receiver.url}/elsewhere`;
    receiver.answer(reply(302, { location }));
    notifier.notify(exhausted());
    await eventually(() => reported.length === 1);
    expect(reported).toMatchObject([{ failure: { status: 302 } }]);
    expect(receiver.attempts).toHaveLength(1);
  });

  it("is not sent to a forbidden address", async () => {
    start({ scheduleMs: [] });
    target = { url: "http://169.254.169.254/latest", secret: null };
    notifier.notify(exhausted());
    await eventually(() => reported.length === 1);
    expect(reported).toMatchObject([
      { failure: { reason: "address_refused" } },
    ]);
  });

  it("goes to the target of the current configuration", async () => {
    start();
    target = null;
    notifier.notify(exhausted("nowhere"));
    target = { url: receiver.url, secret: null };
    notifier.notify(exhausted("unsigned"));
    await received(1);
    target = { url: receiver.url, secret: SECRET };
    notifier.notify(exhausted("signed"));
    const messages = await received(2);
    expect(
      messages.map(({ json, headers }) => [
        json.data["destination"],
        "webhook-signature" in headers,
      ]),
    ).toEqual([
      ["unsigned", false],
      ["signed", true],
    ]);
  });

  it("does not wait for one that fails", async () => {
    start({ scheduleMs: [3_600_000] });
    const refuseD: Reply = (res, _count, { body }) => {
      const isD = body.toString("utf8").includes('"destination":"d"');
      res.writeHead(isD ? 500 : 204).end();
    };
    receiver.answer(refuseD);
    notifier.notify(exhausted("d"));
    notifier.notify(exhausted("e"));
    const messages = await received(2);
    expect(messages.map(({ json }) => json.data["destination"])).toEqual([
      "d",
      "e",
    ]);
  });
});

describe("the notifier", () => {
  it("has one request in flight, merges repeats meanwhile, and reports what it drops", async () => {
    start({ maxWaiting: 2 });
    receiver.answer(hang);
    notifier.notify(exhausted("first"));
    await received(1);
    for (const name of ["a", "b", "b", "c"]) {
      notifier.notify(exhausted(name));
    }
    expect(receiver.seen().most).toBe(1);
    expect(reported).toEqual([
      {
        type: "notifications.dropped",
        notifications: ["delivery.exhausted"],
        reason: "queue full",
      },
    ]);
    receiver.answer(reply(204));
    await notifier.stop(10_000);
    const messages = await received(4);
    expect(
      messages
        .slice(1)
        .map(({ json: { data } }) => [data["destination"], data["count"]]),
    ).toEqual([
      ["b", 2],
      ["c", 1],
      ["first", 1],
    ]);
  });

  it("drops what it cannot send in time when it stops", async () => {
    start();
    receiver.answer(hang);
    notifier.notify(exhausted("a"));
    await received(1);
    notifier.notify(exhausted("b"));
    await notifier.stop(1);
    expect(typesReported()).toEqual(["notifications.dropped"]);
    expect(reported[0]).toMatchObject({
      notifications: ["delivery.exhausted", "delivery.exhausted"],
      reason: "service stopped",
    });
  });
});
