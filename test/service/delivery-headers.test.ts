import { beforeAll, describe, expect, it } from "@jest/globals";
import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { Webhook } from "standardwebhooks";
import {
  outboundKey,
  standardSignature,
} from "../../src/delivery/http/standard-webhooks.ts";
import {
  type Attempt,
  reply,
  startDestination,
  type TestDestination,
} from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { signed } from "../support/fixtures.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/* Tests of what a destination gets, checked independently of this product: with openssl, node:crypto and standardwebhooks. */

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const KEY = Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64");
const AT = 1_800_000_000;

let destination: TestDestination;
let service: TestService;
let now = AT * 1000;

beforeAll(async () => {
  const folder = temporaryFolder().path;
  const handlers = path.join(folder, "none.mjs");
  writeFileSync(handlers, "export default {};\n");
  destination = await startDestination(reply(204));
  service = await startTestService(folder, {
    env: {
      FORWARD_URL: destination.url,
      FORWARD_SECRET: SECRET,
      HANDLERS: handlers,
      RETRY_SCHEDULE: "10ms,10ms,10ms",
    },
    deps: { now: () => now },
  });
});

/** Sends an event, and returns its attempts once there are `attempts` of them. */
async function deliver(
  body: Buffer,
  options: { headers?: Record<string, string>; attempts?: number } = {},
): Promise<Attempt[]> {
  const { headers = {}, attempts = 1 } = options;
  destination.answer((res, _count, attempt) => {
    const isLast = attempt.headers["x-hexhook-attempt"] === String(attempts);
    res.writeHead(isLast ? 204 : 500).end();
  });
  const from = destination.attempts.length;
  const answer = await service.post(body, {
    ...signed(body, { at: now }),
    ...headers,
  });
  expect(answer).toMatchObject({ status: 200, json: { status: "accepted" } });
  return eventually(() => {
    const got = destination.attempts.slice(from);
    if (got.length === attempts) {
      return got;
    }
    if (got.length > 0) {
      // The clock stands still, so no further attempt becomes due.
      now += 2000;
    }
    return null;
  });
}

/** Computes the Standard Webhooks signature of an attempt, independently of the product. */
function expectedSignature({ headers, body }: Attempt): string {
  const mac = createHmac("sha256", KEY)
    .update(`${String(headers["webhook-id"])}.`)
    .update(`${String(headers["webhook-timestamp"])}.`)
    .update(body)
    .digest("base64");
  return `v1,${mac}`;
}

describe("webhook-signature", () => {
  it("equals the signature that openssl makes of id, timestamp and body", async () => {
    now = AT * 1000;
    const [attempt] = await deliver(Buffer.from('{"id":"evt_1","type":"t"}'));
    expect(attempt?.headers).toMatchObject({
      "webhook-id": "evt_1",
      "webhook-timestamp": String(AT),
      "webhook-signature": "v1,oM3AkVyCORYUv0XjjdPMA365ZVDPVR2RDYCb8XrRNZw=",
    });
  });

  it.each([
    [
      SECRET,
      "msg_p5jXN8AQM9LWM0D4loKWxJek",
      1_614_265_330,
      '{"test": 2432232314}',
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ],
    [
      "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
      "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
      1_649_367_553,
      '{"email":"test@example.com","username":"test_user"}',
      "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
    ],
    [
      "whsec_RdvaYFYUXuIFuEbvZHwMfYFhUf7aMYjYcmM24+Aj40c=",
      "wh_685c059ae39c8190af8c71ed1022a24d",
      1_750_861_210,
      '{"id": "evt_685c059ae3a481909bdc86819b066fb6", "object": "event", "created_at": 1750861210, "type": "response.completed", "data": {"id": "resp_123"}}',
      "v1,gUAg4R2hWouRZqRQG4uJypNS8YK885G838+EHb4nKBY=",
    ],
  ])(
    "equals the test vectors of Standard Webhooks: %s, %s",
    (secret, id, timestamp, body, signature) => {
      const key = outboundKey(secret);
      const made = standardSignature(key, id, timestamp, Buffer.from(body));
      expect(made).toBe(signature);
    },
  );

  it("is accepted by the package standardwebhooks", async () => {
    now = Date.now();
    const [attempt] = await deliver(
      Buffer.from('{"id":"evt_sw","type":"t","x":"ä € 😀"}'),
    );
    const { body, headers } = attempt as Attempt;
    const receiver = new Webhook(SECRET);
    const text = body.toString("utf8");
    const as = headers as Record<string, string>;
    expect(receiver.verify(text, as)).toMatchObject({ id: "evt_sw" });
    expect(() => receiver.verify(`${text} `, as)).toThrow("No matching");
    expect(() =>
      receiver.verify(text, { ...as, "webhook-id": "evt_other" }),
    ).toThrow("No matching");
  });

  it.each([
    ["that are not UTF-8", '{"id":"evt_b1","type":"t","x":"\xff\xfe\xc3"}'],
    [
      "with escapes",
      '{"id":"evt_b2","type":"t","x":"\\u00e4\\/\\ud83d\\ude00"}',
    ],
    ["with a byte order mark", '\xef\xbb\xbf{"id":"evt_b3","type":"t"}'],
    ["with a newline at the end", ' {"id":"evt_b4" , "type":"t"}\r\n'],
  ])("covers the raw bytes of a body %s", async (_what, latin1) => {
    const body = Buffer.from(latin1, "latin1");
    const [attempt] = await deliver(body);
    expect(attempt?.body.equals(body)).toBe(true);
    expect(attempt?.headers["content-length"]).toBe(String(body.length));
    expect(attempt?.headers["webhook-signature"]).toBe(
      expectedSignature(attempt as Attempt),
    );
  });

  it.each([
    ["evt 1", "evt%201"],
    ["evt_ä€😀", "evt_%C3%A4%E2%82%AC%F0%9F%98%80"],
    ["a\r\nx-evil: 1", "a%0D%0Ax-evil:%201"],
    ["100%", "100%25"],
    ["a\u0000b\u007f", "a%00b%7F"],
  ])("covers the id as its header has it: %j", async (id, encoded) => {
    const [attempt] = await deliver(
      Buffer.from(JSON.stringify({ id, type: `type of ${id}` })),
    );
    expect(attempt?.headers["webhook-id"]).toBe(encoded);
    expect(attempt?.headers["x-evil"]).toBeUndefined();
    expect(attempt?.headers["x-hexhook-type"]).toMatch(/^[\x21-\x7e]+$/);
    expect(attempt?.headers["webhook-signature"]).toBe(
      expectedSignature(attempt as Attempt),
    );
  });

  it("is computed again for each attempt, with its own timestamp and the same id", async () => {
    const body = Buffer.from('{"id":"evt_again","type":"t"}');
    const attempts = await deliver(body, { attempts: 4 });

    const timestamps = attempts.map((one) => one.headers["webhook-timestamp"]);
    expect(new Set(timestamps).size).toBe(4);
    const ids = attempts.map((one) => one.headers["webhook-id"]);
    expect(new Set(ids)).toEqual(new Set(["evt_again"]));
    for (const one of attempts) {
      expect(one.headers["webhook-signature"]).toBe(expectedSignature(one));
    }
  });
});

describe("traceparent", () => {
  const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/;
  const SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

  async function tracesOf(id: string, headers: Record<string, string>) {
    const body = Buffer.from(JSON.stringify({ id, type: "t" }));
    const attempts = await deliver(body, { headers, attempts: 4 });
    return attempts.map(({ headers: { traceparent } }) => {
      expect(traceparent).toMatch(TRACEPARENT);
      const [, trace, span] = TRACEPARENT.exec(String(traceparent)) ?? [];
      return { trace, span };
    });
  }

  it("continues the trace of the sender on all attempts, each with a separate span", async () => {
    const traces = await tracesOf("evt_traced", { traceparent: SENT });
    expect(new Set(traces.map(({ trace }) => trace))).toEqual(
      new Set(["0af7651916cd43dd8448eb211c80319c"]),
    );
    const spans = new Set(traces.map(({ span }) => span));
    expect(spans.size).toBe(4);
    expect(spans).not.toContain("b7ad6b7169203331");
  });

  it.each([
    ["no trace", {}],
    ["an invalid traceparent", { traceparent: `${SENT}-x` }],
  ])(
    "starts one trace for all attempts of an event if the sender gives %s",
    async (what, headers) => {
      const traces = await tracesOf(`evt_1 ${what}`, headers);
      const other = await tracesOf(`evt_2 ${what}`, headers);
      const ids = new Set(traces.map(({ trace }) => trace));
      expect(ids.size).toBe(1);
      expect(new Set(other.map(({ trace }) => trace)).size).toBe(1);
      expect(ids).not.toContain(other[0]?.trace);
      const spans = new Set([...traces, ...other].map(({ span }) => span));
      expect(spans.size).toBe(8);
    },
  );
});
