import { beforeEach, describe, expect, it } from "@jest/globals";
import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { ADMIN_TOKEN, callAdmin } from "../support/admin-client.ts";
import {
  reply,
  startDestination,
  type TestDestination,
} from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody, SECRET, signed } from "../support/fixtures.ts";
import { freePort } from "../support/processes.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { registerSdk } from "../support/tracing.ts";

/* Traces with the real SDK of OpenTelemetry and its exporter in memory. */

const SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
const TRACE = "0af7651916cd43dd8448eb211c80319c";

let sdk: ReturnType<typeof registerSdk>;
let folder: string;
let destination: TestDestination;
let service: TestService;

beforeEach(async () => {
  sdk = registerSdk();
  folder = temporaryFolder().path;
  writeFileSync(
    path.join(folder, "handlers.mjs"),
    `export default { "handled": (event) => globalThis.onHandled(event) };`,
  );
  destination = await startDestination(reply(204));
  service = await start();
});

async function start(): Promise<TestService> {
  return startTestService(folder, {
    env: {
      FORWARD_URL: `${destination.url}?token=in-the-url`,
      HANDLERS: path.join(folder, "handlers.mjs"),
      RETRY_SCHEDULE: "10ms",
      ADMIN_PORT: String(await freePort()),
      ADMIN_TOKEN,
    },
  });
}

async function post(
  body: Buffer,
  headers: Record<string, string>,
): Promise<number> {
  const { status } = await service.post(body, { ...signed(body), ...headers });
  return status;
}

/** Returns the ended spans of a trace with this name, once there are `count` of them. */
function spansNamed(
  name: string,
  count: number,
  traceId = TRACE,
): Promise<ReadableSpan[]> {
  return eventually(() => {
    const spans = sdk.spansOf(traceId).filter((span) => span.name === name);
    return spans.length >= count ? spans : null;
  });
}

const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId;

describe("a trace", () => {
  it("goes from the sender over the accepted request to each attempt, over retries, a redelivery and a restart", async () => {
    const sender = sdk.tracer.startSpan("send");
    const { traceId, spanId } = sender.spanContext();
    sender.end();
    await callAdmin(service, "POST", "/api/destinations/forward/pause", {});
    const traceparent = `00-${traceId}-${spanId}-01`;
    expect(await post(eventBody("evt_1"), { traceparent })).toBe(200);
    await service.stop();
    expect(destination.attempts).toHaveLength(0);

    destination.answer((res, count) => {
      res.writeHead(count === 1 ? 500 : 204).end();
    });
    service = await start();
    await callAdmin(service, "POST", "/api/destinations/forward/resume", {});
    await spansNamed("attempt forward", 2, traceId);
    await callAdmin(service, "POST", "/api/events/redeliver", {
      ids: ["evt_1"],
    });
    const attempts = await spansNamed("attempt forward", 3, traceId);

    const [accepted, ...others] = await spansNamed(
      "POST /webhooks/:source",
      1,
      traceId,
    );
    expect(others).toEqual([]);
    expect(accepted?.kind).toBe(SpanKind.SERVER);
    expect(accepted?.parentSpanContext).toMatchObject({ traceId, spanId });
    expect(accepted?.attributes).toMatchObject({
      "hexhook.source": "hex",
      "hexhook.scheme": "hex",
      "hexhook.event.id": "evt_1",
      "hexhook.event.type": "resource.created",
      "hexhook.outcome": "accepted",
      "http.response.status_code": 200,
    });
    expect(
      attempts.map((span) => [span.kind, idOf(span)?.length, parentOf(span)]),
    ).toEqual([1, 2, 3].map(() => [SpanKind.CLIENT, 16, idOf(accepted)]));
    expect(
      attempts.map(({ attributes, status }) => [
        attributes["hexhook.attempt"],
        attributes["hexhook.result"],
        attributes["http.response.status_code"],
        attributes["error.type"],
        status.code,
      ]),
    ).toEqual([
      [1, "failed", 500, "500", SpanStatusCode.ERROR],
      [2, "succeeded", 204, undefined, SpanStatusCode.UNSET],
      [3, "succeeded", 204, undefined, SpanStatusCode.UNSET],
    ]);
    expect(
      destination.attempts.map(({ headers }) => headers["traceparent"]),
    ).toEqual(attempts.map((span) => `00-${traceId}-${idOf(span)}-01`));
    sdk.expectAllEnded();
  });

  it("starts with the accepted request if the sender has none", async () => {
    expect(await post(eventBody("evt_1"), {})).toBe(200);
    const [attempt] = await eventually(() =>
      destination.attempts.length === 1 ? destination.attempts : null,
    );
    const [, traceId = ""] = String(attempt?.headers["traceparent"]).split("-");
    const [accepted] = await spansNamed("POST /webhooks/:source", 1, traceId);
    expect(accepted?.parentSpanContext).toBeUndefined();
  });

  it("is not recorded if the sender does not sample it, and its ids are forwarded", async () => {
    const traceparent = `${SENT}-00`;
    expect(await post(eventBody("evt_1"), { traceparent })).toBe(200);
    const [attempt] = await eventually(() =>
      destination.attempts.length === 1 ? destination.attempts : null,
    );
    expect(attempt?.headers["traceparent"]).toMatch(
      new RegExp(`^00-${TRACE}-(?!b7ad6b7169203331)[0-9a-f]{16}-00$`),
    );
    expect(sdk.spans()).toEqual([]);
  });

  it("keeps the tracestate of the sender", async () => {
    const headers = { traceparent: `${SENT}-01`, tracestate: "vendor=1" };
    expect(await post(eventBody("evt_1"), headers)).toBe(200);
    const [attempt] = await spansNamed("attempt forward", 1);
    const [accepted] = await spansNamed("POST /webhooks/:source", 1);
    for (const span of [attempt, accepted]) {
      expect(span?.spanContext().traceState?.serialize()).toBe("vendor=1");
    }
  });

  it("is not started by a request that is not verified", async () => {
    const body = eventBody("evt_1");
    const forged = signed(body, { secret: "another-secret-0123456789abcdef" });
    const traceparent = `${SENT}-01`;
    const { status } = await service.post(body, { ...forged, traceparent });
    expect(status).toBe(401);
    expect(sdk.spans()).toEqual([]);
  });

  it("shows the retry of the sender as a duplicate", async () => {
    const body = eventBody("evt_1");
    const traceparent = `${SENT}-01`;
    for (const at of [Date.now(), Date.now() - 1000]) {
      await service.post(body, { ...signed(body, { at }), traceparent });
    }
    const spans = await spansNamed("POST /webhooks/:source", 2);
    expect(spans.map((span) => span.attributes["hexhook.outcome"])).toEqual([
      "accepted",
      "duplicate",
    ]);
  });

  it("contains no headers, no body, no URL and no secret", async () => {
    const body = Buffer.from(
      '{"id":"evt_1","type":"resource.created","card":"in-the-body"}',
    );
    const headers = { traceparent: `${SENT}-01`, "x-note": "in-a-header" };
    expect(await post(body, headers)).toBe(200);
    await spansNamed("attempt forward", 1);
    const recorded = JSON.stringify(
      sdk.spans().map(({ name, attributes, events, status }) => ({
        name,
        attributes,
        events,
        status,
      })),
    );
    expect(recorded).toContain("evt_1");
    expect(recorded).not.toMatch(/in-the-url|in-the-body|in-a-header|\/hooks/);
    expect(recorded).not.toContain(SECRET);
    expect(recorded).not.toContain(
      signed(body)["x-hex-signature"]!.slice(0, 9),
    );
  });
});

describe("the span of a handler's attempt", () => {
  it("is active while the handler runs, and has the handler's error", async () => {
    const active: unknown[] = [];
    Object.assign(globalThis, {
      onHandled: async () => {
        await Promise.resolve();
        active.push(trace.getActiveSpan()?.spanContext().spanId);
        if (active.length === 1) {
          throw new RangeError("in-the-error");
        }
      },
    });
    const headers = { traceparent: `${SENT}-01` };
    expect(await post(eventBody("evt_1", "handled"), headers)).toBe(200);
    const attempts = await spansNamed("attempt handler:handled", 2);
    expect(active).toEqual(attempts.map(idOf));
    expect(attempts.map(({ kind }) => kind)).toEqual([
      SpanKind.CONSUMER,
      SpanKind.CONSUMER,
    ]);
    expect(attempts[0]?.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(attempts[0]?.attributes["error.type"]).toBe("handler_threw");
    expect(JSON.stringify(attempts[0]?.attributes)).not.toContain("in-the-err");
    expect(attempts[0]?.events).toEqual([]);
    expect(attempts[1]?.status.code).toBe(SpanStatusCode.UNSET);
  });
});

describe("the stop of the service", () => {
  it("exports the spans that the SDK still holds", async () => {
    expect(sdk.flushes()).toBe(0);
    await service.stop();
    expect(sdk.flushes()).toBe(1);
  });
});

function parentOf(span: ReadableSpan | undefined): string | undefined {
  return span?.parentSpanContext?.spanId;
}
