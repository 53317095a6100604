import { beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import {
  eventBody,
  OTHER_SECRET,
  SECRET,
  signed,
} from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { readTrail, suppressedIn } from "../support/read-trail.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { readColumn } from "../support/store-file.ts";

const UNAUTHORIZED = {
  title: "The request could not be verified",
  status: 401,
  code: "unauthorized",
};

/** The service that most tests of this file share. Each test uses different event ids. */
let folder: ReturnType<typeof temporaryFolder>;
let service: TestService;

interface Counts {
  readonly events: number;
  readonly deliveries: number;
  readonly claims: number;
}

/** Counts the rows of a store, on a separate connection. */
function countsIn(place: string): Counts {
  const file = path.join(place, "hexhook.db");
  const count = (table: string) =>
    readColumn(file, `SELECT count(*) FROM ${table}`)[0] as number;
  return {
    events: count("event"),
    deliveries: count("delivery"),
    claims: count("replay_claim"),
  };
}

let before: Counts;

/** Returns the numbers of rows that were stored during this test. */
function stored(): Counts {
  const now = countsIn(folder.path);
  return {
    events: now.events - before.events,
    deliveries: now.deliveries - before.deliveries,
    claims: now.claims - before.claims,
  };
}

const NOTHING = { events: 0, deliveries: 0, claims: 0 };

beforeAll(async () => {
  folder = temporaryFolder();
  service = await startTestService(folder.path);
});

beforeEach(() => {
  before = countsIn(folder.path);
});

/** Returns the last audit entry about a request. Entries of deliveries can be written at any time. */
async function lastVerdict(from = service) {
  return (await from.entries()).findLast(({ action }) =>
    action.startsWith("webhook."),
  );
}

/** Returns the audit entries about requests for an event. */
async function verdictsOn(id: string) {
  return (await service.entries()).filter(
    ({ action, metadata }) =>
      action.startsWith("webhook.") && metadata["eventId"] === id,
  );
}

describe("a valid new delivery", () => {
  it("is accepted, stored with its exact bytes, and audited once", async () => {
    const body = Buffer.from(
      '{ "id": "evt_new",\t"type":"resource.created","x":"\xff\\u00e4" }\r\n',
      "latin1",
    );
    const contentType = "application/json; charset=utf-8";
    const headers = { ...signed(body), "content-type": contentType };

    const answer = await service.post(body, headers);

    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      received: true,
      status: "accepted",
      id: "evt_new",
    });
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("x-powered-by")).toBeNull();
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(stored()).toEqual({ events: 1, deliveries: 1, claims: 0 });
    const file = path.join(folder.path, "hexhook.db");
    const column = (name: string): unknown =>
      readColumn(file, `SELECT ${name} FROM event WHERE id = 'evt_new'`)[0];
    expect(Buffer.from(column("body") as Uint8Array)).toEqual(body);
    const digest = createHash("sha256").update(body).digest();
    expect(Buffer.from(column("body_sha256") as Uint8Array)).toEqual(digest);
    expect(column("content_type")).toBe(contentType);
    expect(column("type")).toBe("resource.created");
    const verdicts = await verdictsOn("evt_new");
    expect(verdicts).toHaveLength(1);
    expect(verdicts[0]).toMatchObject({
      action: "webhook.accepted",
      userId: "source:hex",
      resource: "/webhooks/hex",
      result: "success",
      metadata: {
        source: "hex",
        scheme: "hex",
        eventId: "evt_new",
        eventType: "resource.created",
        bodyBytes: body.length,
        ip: "127.0.0.1",
        status: 200,
        deliveries: 1,
      },
    });
  });

  it("is a duplicate if it is sent again with a new signature, and a replay if it is sent again unchanged", async () => {
    const body = eventBody("evt_again");
    const first = signed(body);
    const retry = signed(body, { at: Date.now() + 2000 });

    expect((await service.post(body, first)).json["status"]).toBe("accepted");
    const replayed = await service.post(body, first);
    const duplicate = await service.post(body, retry);
    const replayedRetry = await service.post(body, retry);

    expect(replayed).toMatchObject({ status: 409, json: { code: "replayed" } });
    expect(replayed.headers.get("content-type")).toBe(
      "application/problem+json",
    );
    expect(duplicate).toMatchObject({
      status: 200,
      json: { received: true, status: "duplicate", id: "evt_again" },
    });
    expect(replayedRetry.status).toBe(409);
    expect(stored()).toEqual({ events: 1, deliveries: 1, claims: 1 });
    const actions = (await verdictsOn("evt_again")).map(({ action }) => action);
    expect(actions).toEqual([
      "webhook.accepted",
      "webhook.replayed",
      "webhook.duplicate",
      "webhook.replayed",
    ]);
  });

  it("is a replay if only the case of its signature has changed", async () => {
    const body = eventBody("evt_case");
    const headers = signed(body);
    const upper = {
      ...headers,
      "x-hex-signature": headers["x-hex-signature"]!.toUpperCase(),
    };

    expect((await service.post(body, upper)).status).toBe(200);
    expect((await service.post(body, headers)).status).toBe(409);
  });

  it("conflicts with an event of the same id and another body, and changes nothing", async () => {
    await service.post(eventBody("evt_conflict"));

    const answer = await service.post(
      eventBody("evt_conflict", "resource.deleted"),
    );

    expect(answer).toMatchObject({
      status: 409,
      json: { code: "event_id_conflict" },
    });
    expect(stored()).toMatchObject({ events: 1, deliveries: 1 });
    expect(await lastVerdict()).toMatchObject({
      action: "webhook.conflict",
      result: "failure",
      metadata: { status: 409, eventId: "evt_conflict" },
    });
  });
});

describe("50 identical deliveries at once", () => {
  it("are accepted once, are replays 49 times, and are forwarded once, even after a restart", async () => {
    const place = temporaryFolder();
    let one = await startTestService(place.path);
    const body = eventBody("evt_50");
    const headers = signed(body);

    const answers = await Promise.all(
      Array.from({ length: 50 }, () => one.post(body, headers)),
    );

    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, ...Array<number>(49).fill(409)]);
    await eventually(async () =>
      (await one.entries()).some(
        ({ action }) => action === "delivery.succeeded",
      ),
    );

    await one.stop();
    one = await startTestService(place.path);
    const again = await Promise.all(
      Array.from({ length: 50 }, () => one.post(body, headers)),
    );
    expect(new Set(again.map(({ status }) => status))).toEqual(new Set([409]));
    const resigned = await one.post(
      body,
      signed(body, { at: Date.now() + 5000 }),
    );
    expect(resigned.json["status"]).toBe("duplicate");
    const succeeded = (await one.entries()).filter(
      ({ action }) => action === "delivery.succeeded",
    );
    expect(succeeded).toHaveLength(1);
    expect(countsIn(place.path)).toMatchObject({ events: 1, deliveries: 1 });
  });

  it("are accepted once, with 49 duplicates, if each has a new signature", async () => {
    const body = eventBody("evt_50_signed");

    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        service.post(body, signed(body, { at: Date.now() + n * 1000 })),
      ),
    );

    const verdicts = answers.map(({ json }) => json["status"]).sort();
    expect(verdicts).toEqual([
      "accepted",
      ...Array<string>(49).fill("duplicate"),
    ]);
    expect(stored()).toMatchObject({ events: 1, deliveries: 1 });
  });
});

describe("a message that is not authentic", () => {
  it("gets 401, and does not make a later genuine message a duplicate", async () => {
    const body = eventBody("evt_forged");

    const forged = await service.post(
      body,
      signed(body, { secret: OTHER_SECRET }),
    );
    expect(forged.status).toBe(401);
    expect(stored()).toEqual(NOTHING);
    const genuine = await service.post(body);

    expect(genuine.json).toMatchObject({
      status: "accepted",
      id: "evt_forged",
    });
  });

  const body = eventBody("evt_x");
  const now = Date.now();
  const good = signed(body);
  const {
    "x-hex-signature": signature = "",
    "x-hex-timestamp": timestamp = "",
  } = good;
  const without = (name: string): Record<string, string> =>
    Object.fromEntries(Object.entries(good).filter(([key]) => key !== name));

  it.each([
    ["no signature", without("x-hex-signature"), "missing_signature"],
    [
      "an empty signature",
      { ...good, "x-hex-signature": "" },
      "missing_signature",
    ],
    [
      "a short signature",
      { ...good, "x-hex-signature": signature.slice(2) },
      "malformed_signature",
    ],
    [
      "a long signature",
      { ...good, "x-hex-signature": `${signature}00` },
      "malformed_signature",
    ],
    [
      "a prefixed signature",
      { ...good, "x-hex-signature": `sha256=${signature}` },
      "malformed_signature",
    ],
    [
      "a signature that is not hex",
      { ...good, "x-hex-signature": "z".repeat(64) },
      "malformed_signature",
    ],
    [
      "a signature whose last character is not hex",
      { ...good, "x-hex-signature": `${signature.slice(0, 62)}zz` },
      "malformed_signature",
    ],
    [
      "a wrong signature",
      { ...good, "x-hex-signature": "0".repeat(64) },
      "bad_signature",
    ],
    ["another secret", signed(body, { secret: OTHER_SECRET }), "bad_signature"],
    [
      "a key with a space after it",
      signed(body, { secret: `${SECRET} ` }),
      "bad_signature",
    ],
    [
      "the signature of the scheme hex-body",
      { ...good, ...signed(body, { scheme: "hex-body" }) },
      "bad_signature",
    ],
    ["no timestamp", without("x-hex-timestamp"), "missing_timestamp"],
    [
      "a timestamp other than the signed one",
      { ...good, "x-hex-timestamp": String(Number(timestamp) + 1) },
      "bad_signature",
    ],
    [
      "a timestamp in letters",
      { ...good, "x-hex-timestamp": "1e9" },
      "malformed_timestamp",
    ],
    [
      "a timestamp with a sign",
      { ...good, "x-hex-timestamp": `+${timestamp}` },
      "malformed_timestamp",
    ],
    [
      "a timestamp with a fraction",
      { ...good, "x-hex-timestamp": `${timestamp}.0` },
      "malformed_timestamp",
    ],
    [
      "a timestamp in milliseconds",
      { ...good, "x-hex-timestamp": String(now) },
      "malformed_timestamp",
    ],
    [
      "NaN as the timestamp",
      { ...good, "x-hex-timestamp": "NaN" },
      "malformed_timestamp",
    ],
    [
      "a stale timestamp",
      signed(body, { at: now - 302_000 }),
      "stale_timestamp",
    ],
    [
      "a timestamp from the future",
      signed(body, { at: now + 3_600_000 }),
      "future_timestamp",
    ],
  ])("gets the identical 401 for %s", async (_what, headers, reason) => {
    const answer = await service.post(body, headers);

    expect(answer.status).toBe(401);
    expect(answer.json).toEqual(UNAUTHORIZED);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(stored()).toEqual(NOTHING);
    expect(await lastVerdict()).toMatchObject({
      action: "webhook.rejected",
      result: "failure",
      metadata: { reason, status: 401, bodyBytes: body.length },
    });
  });

  it("has its event id in the audit entry only if the signature is valid", async () => {
    await service.post(body, signed(body, { at: now - 400_000 }));
    expect(await lastVerdict()).toMatchObject({
      metadata: { reason: "stale_timestamp", eventId: "evt_x" },
    });
    await service.post(body, signed(body, { secret: OTHER_SECRET }));
    expect((await lastVerdict())!.metadata).not.toHaveProperty("eventId");
  });

  it("gets the same response for every reason", async () => {
    const answers = await Promise.all([
      service.post(body, without("x-hex-signature")),
      service.post(body, signed(body, { secret: OTHER_SECRET })),
      service.post(body, signed(body, { at: 0 })),
    ]);
    const looks = answers.map(({ headers, text }) =>
      JSON.stringify([
        ...[...headers].filter(([name]) => name !== "date"),
        text,
      ]),
    );
    expect(new Set(looks).size).toBe(1);
  });

  it("is attributed to source:hex if the signature is valid, otherwise to anonymous", async () => {
    await service.post(body, signed(body, { at: now - 400_000 }));
    expect(await lastVerdict()).toMatchObject({ userId: "source:hex" });
    await service.post(body, signed(body, { secret: OTHER_SECRET }));
    expect(await lastVerdict()).toMatchObject({ userId: "anonymous" });
  });

  it("gets 429 once its address has exceeded the rate limit, while genuine messages are accepted", async () => {
    const place = temporaryFolder();
    // The clock stands still, so the rate limiter regains no tokens.
    const timeless = await startTestService(place.path, {
      deps: { now: () => now },
    });
    const forged = signed(body, { secret: OTHER_SECRET });
    const statuses: number[] = [];
    for (let round = 0; round < 13; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => timeless.post(body, forged)),
      );
      statuses.push(...answers.map(({ status }) => status));
    }
    expect(statuses.slice(0, 600).every((status) => status === 401)).toBe(true);
    expect(statuses.slice(600).every((status) => status === 429)).toBe(true);
    const rejected = await timeless.post(body, forged);
    expect(rejected).toMatchObject({
      status: 429,
      json: { code: "too_many_requests" },
    });
    expect(Number(rejected.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await timeless.post(body)).status).toBe(200);
    await timeless.stop();
    // Audit entries have a lower limit. The others are only counted.
    const entries = await timeless.entries();
    const count = (action: string): number =>
      entries.filter((entry) => entry.action === action).length;
    expect(count("webhook.rejected")).toBe(60);
    expect(suppressedIn(entries)).toEqual({ bad_signature: 591 });
  });
});

describe("a payload", () => {
  const long = (n: number): string => "i".repeat(n);
  it.each([
    ["an empty body", ""],
    ["null", "null"],
    ["an array", '[{"id":"a","type":"b"}]'],
    ["a number", "1e400"],
    ["incomplete JSON text", '{"id":"a","type":"b"'],
    ["no id", '{"type":"b"}'],
    ["an id that is a number", '{"id":1,"type":"b"}'],
    ["an empty id", '{"id":"","type":"b"}'],
    ["an id of 257 characters", JSON.stringify({ id: long(257), type: "b" })],
    ["no type", '{"id":"a"}'],
    ["a type of 129 characters", JSON.stringify({ id: "a", type: long(129) })],
    [
      "id and type only on the prototype",
      '{"__proto__":{"id":"a","type":"b"}}',
    ],
    ["a lone surrogate in its id", '{"id":"\\ud800","type":"b"}'],
  ])("is rejected with 400 and not stored: %s", async (_what, text) => {
    const body = Buffer.from(text);

    const answer = await service.post(body);

    expect(answer).toMatchObject({
      status: 400,
      json: { code: "malformed_payload" },
    });
    expect(stored()).toEqual(NOTHING);
    expect(await lastVerdict()).toMatchObject({
      action: "webhook.rejected",
      userId: "source:hex",
      metadata: { reason: "malformed_payload", status: 400 },
    });
  });

  it.each([
    ["256 characters", long(256)],
    ["256 characters outside the basic plane", "😀".repeat(256)],
    ["control characters and newlines", 'a\n\r\t\u0000\u001b[31m"\\'],
    ["U+2028, U+0085 and a direction mark", "a\u2028b\u0085c\u202ed"],
  ])("may have an id of %s", async (_what, id) => {
    const answer = await service.post(eventBody(id));

    expect(answer.json).toEqual({ received: true, status: "accepted", id });
    const entry = await lastVerdict();
    expect(entry?.action).toBe("webhook.accepted");
    expect(entry?.metadata["eventId"]).toBe(id);
    const lines = service.stdout.text.trimEnd().split("\n");
    expect(lines.every((line) => /^\[AUDIT\] [\x20-\x7e]+$/.test(line))).toBe(
      true,
    );
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(8192);
  });
});

describe("the bytes of a body", () => {
  const bodies: [string, Buffer][] = [
    [
      "a byte that is not UTF-8",
      Buffer.from('{"id":"b1","type":"t","x":"\xff"}', "latin1"),
    ],
    [
      "another byte that is not UTF-8",
      Buffer.from('{"id":"b2","type":"t","x":"\xfe"}', "latin1"),
    ],
    ["a byte order mark", Buffer.from('\ufeff{"id":"b3","type":"t"}')],
    [
      "duplicate keys",
      Buffer.from('{"id":"no","id":"b4","type":"t","x":1,"x":2}'),
    ],
    [
      "unusual white space and CRLF",
      Buffer.from(' \r\n\t{ "type" : "t" ,\r\n "id":"b5" }\r\n\r\n'),
    ],
    [
      "numbers that exceed a double",
      Buffer.from('{"id":"b6","type":"t","n":1e400,"m":12345678901234567890}'),
    ],
    [
      "deep nesting",
      Buffer.from(
        `{"id":"b7","type":"t","x":${"[".repeat(10_000)}${"]".repeat(10_000)}}`,
      ),
    ],
  ];

  it.each(bodies)(
    "are verified and stored unchanged: %s",
    async (_what, body) => {
      const answer = await service.post(body);
      expect(answer).toMatchObject({
        status: 200,
        json: { status: "accepted" },
      });
      const file = path.join(folder.path, "hexhook.db");
      const [kept] = readColumn(
        file,
        "SELECT body FROM event ORDER BY seq DESC LIMIT 1",
      );
      expect(body.equals(kept as Uint8Array)).toBe(true);
    },
  );

  it("are compared as bytes, so that two bodies that decode to the same text are not confused", async () => {
    const one = Buffer.from('{"id":"same","type":"t","x":"\xff"}', "latin1");
    const other = Buffer.from('{"id":"same","type":"t","x":"\xfe"}', "latin1");
    expect(one.toString("utf8")).toBe(other.toString("utf8"));

    expect((await service.post(other, signed(one))).status).toBe(401);
    expect((await service.post(one)).status).toBe(200);
    expect((await service.post(other)).json["code"]).toBe("event_id_conflict");
  });

  it("are a malformed payload if the id is not UTF-8", async () => {
    const body = Buffer.from('{"id":"\xff","type":"t"}', "latin1");
    expect((await service.post(body)).json["code"]).toBe("malformed_payload");
  });
});

describe("a source with a previous secret", () => {
  let rotated: TestService;
  let place: ReturnType<typeof temporaryFolder>;
  let clock = Date.now();

  beforeAll(async () => {
    place = temporaryFolder();
    rotated = await startTestService(place.path, {
      env: {
        HEX_SECRET_PREVIOUS: OTHER_SECRET,
        HEX_SECRET_PREVIOUS_EXPIRES_AT: new Date(clock + 100_000).toISOString(),
      },
      deps: { now: () => clock },
    });
  });

  it("accepts both secrets until the previous one expires, records which was used, then rejects only the previous one", async () => {
    const [current, previous] = rotated.config.sources[0]!.secrets;
    const old = (id: string) => {
      const body = eventBody(id);
      const headers = signed(body, { secret: OTHER_SECRET, at: clock });
      return rotated.post(body, headers);
    };

    expect((await old("evt_old")).status).toBe(200);
    expect(
      (await rotated.entries()).find(
        ({ metadata }) => metadata["eventId"] === "evt_old",
      )?.metadata["keyId"],
    ).toBe(previous!.keyId);
    const body = eventBody("evt_new");
    expect((await rotated.post(body, signed(body, { at: clock }))).status).toBe(
      200,
    );

    clock += 100_000;
    expect((await old("evt_late")).json).toEqual(UNAUTHORIZED);
    expect(await rotated.lastEntry()).toMatchObject({
      metadata: { reason: "expired_secret", keyId: previous!.keyId },
    });
    const late = eventBody("evt_new_late");
    expect((await rotated.post(late, signed(late, { at: clock }))).status).toBe(
      200,
    );
    expect(current!.keyId).not.toBe(previous!.keyId);
  });
});

describe("the replay window", () => {
  const at = 1_800_000_000_000;
  let fixed: TestService;

  beforeAll(async () => {
    fixed = await startTestService(temporaryFolder().path, {
      deps: { now: () => at + 900 },
    });
  });

  it.each([
    ["the oldest time inside", at - 300_000, 200],
    ["the first time outside in the past", at - 301_000, 401],
    ["the newest time inside", at + 300_000, 200],
    ["the first time outside in the future", at + 301_000, 401],
  ])("is inclusive in both directions: %s", async (what, signedAt, status) => {
    const body = eventBody(what);
    const answer = await fixed.post(body, signed(body, { at: signedAt }));
    expect(answer.status).toBe(status);
  });

  it.each([
    [60_000, 200],
    [61_000, 401],
  ])(
    "is set by REPLAY_WINDOW_SECONDS: %i ms with a window of 60 s",
    async (age, status) => {
      const narrow = await startTestService(temporaryFolder().path, {
        env: { REPLAY_WINDOW_SECONDS: "60" },
        deps: { now: () => at },
      });
      for (const signedAt of [at - age, at + age]) {
        const body = eventBody(`evt_${signedAt}`);
        const answer = await narrow.post(body, signed(body, { at: signedAt }));
        expect(answer.status).toBe(status);
      }
    },
  );
});

describe("the scheme hex-body", () => {
  const ACKNOWLEDGED = { status: 200, json: { status: "duplicate" } };

  it("signs only the body, detects replays as long as the event is stored, and rejects signatures of the scheme hex", async () => {
    const place = temporaryFolder();
    const env = { HEX_SIGNATURE_SCHEME: "hex-body" };
    let bodyOnly = await startTestService(place.path, { env });
    const body = eventBody("evt_b");
    const headers = signed(body, { scheme: "hex-body" });

    expect(headers["x-hex-timestamp"]).toBeUndefined();
    expect((await bodyOnly.post(body, signed(body))).status).toBe(401);
    expect((await bodyOnly.post(body, headers)).json["status"]).toBe(
      "accepted",
    );
    expect(await bodyOnly.post(body, headers)).toMatchObject(ACKNOWLEDGED);
    await bodyOnly.stop();
    bodyOnly = await startTestService(place.path, {
      env,
      deps: { now: () => Date.now() + 86_400_000 },
    });
    expect(await bodyOnly.post(body, headers)).toMatchObject(ACKNOWLEDGED);
    expect(await bodyOnly.lastEntry()).toMatchObject({
      action: "webhook.replayed",
    });
    await bodyOnly.stop();
  });
});

describe("a signed request that was seen before", () => {
  const acknowledged = { status: 200, json: { status: "duplicate" } };
  const rejected = { status: 409, json: { code: "replayed" } };

  it.each<[string, string | null, { status: number; json: object }]>([
    ["hex", null, rejected],
    ["hex", "acknowledge", acknowledged],
    ["hex-body", null, acknowledged],
    ["hex-body", "reject", rejected],
  ])(
    "gets the response that the scheme or onReplay defines, and is not forwarded: %s, onReplay %s",
    async (scheme, onReplay, expected) => {
      const place = temporaryFolder();
      const source = [
        `scheme: ${scheme}`,
        ...(onReplay === null ? [] : [`onReplay: ${onReplay}`]),
      ];
      const file = path.join(place.path, "hexhook.yaml");
      writeFileSync(file, `sources: { hex: { ${source.join(", ")} } }\n`);
      const one = await startTestService(place.path, {
        env: { HEXHOOK_CONFIG: file },
      });
      const body = eventBody("evt_1");
      const headers = signed(body, { scheme });

      expect((await one.post(body, headers)).json["status"]).toBe("accepted");
      const answer = await one.post(body, headers);

      expect(answer).toMatchObject(expected);
      expect(answer.json["id"]).toBe(
        expected === acknowledged ? "evt_1" : undefined,
      );
      await one.stop();
      const entries = await one.entries();
      expect(
        entries.filter(({ action }) => action.startsWith("webhook.")),
      ).toMatchObject([
        { action: "webhook.accepted", metadata: { deliveries: 1 } },
        {
          action: "webhook.replayed",
          result: "failure",
          metadata: { status: expected.status, eventId: "evt_1" },
        },
      ]);
      expect(
        entries.filter(({ action }) => action === "delivery.succeeded"),
      ).toHaveLength(1);
    },
  );

  it("is not acknowledged if the first one was a conflict, because its body is not stored", async () => {
    const place = temporaryFolder();
    const one = await startTestService(place.path, {
      env: { HEX_SIGNATURE_SCHEME: "hex-body" },
    });
    const send = (type: string) => {
      const body = eventBody("evt_1", type);
      return one.post(body, signed(body, { scheme: "hex-body" }));
    };
    expect((await send("resource.created")).json["status"]).toBe("accepted");
    const conflict = { status: 409, json: { code: "event_id_conflict" } };

    expect(await send("resource.deleted")).toMatchObject(conflict);
    expect(await send("resource.deleted")).toMatchObject(conflict);

    expect(await one.lastEntry()).toMatchObject({
      action: "webhook.replayed",
      metadata: { status: 409 },
    });
    await one.stop();
  });
});

describe("two services on one store", () => {
  it("accept a delivery only once if both get it at the same time", async () => {
    const place = temporaryFolder();
    const first = await startTestService(place.path);
    const second = await startTestService(place.path);
    for (let n = 0; n < 10; n += 1) {
      const body = eventBody(`evt_two_${n}`);
      const headers = signed(body);
      const answers = await Promise.all([
        first.post(body, headers),
        second.post(body, headers),
      ]);
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    }
    await second.stop();
    expect(countsIn(place.path)).toMatchObject({ events: 10, deliveries: 10 });
    const entries = await readTrail(path.join(place.path, "hexhook.db"));
    const writers = new Set(entries.map(({ chain }) => chain.writer));
    expect(writers.size).toBe(2);
  });
});

describe("a sender that disconnects in the middle of a body", () => {
  it("causes an audit entry and stores nothing", async () => {
    const socket = connect(service.port, "127.0.0.1");
    socket.write(
      "POST /webhooks/hex HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
      () => socket.destroy(),
    );

    const entry = await eventually(async () =>
      (await service.entries()).find(
        ({ action }) => action === "http.rejected",
      ),
    );
    expect(entry.metadata).toMatchObject({ reason: "request_aborted" });
    expect(stored()).toEqual(NOTHING);
  });
});
