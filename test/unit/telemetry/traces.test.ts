import { describe, expect, it } from "@jest/globals";
import {
  context,
  type ContextManager,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import type { ClaimedDelivery } from "../../../src/domain/delivery.ts";
import { StoreError } from "../../../src/errors.ts";
import { formatTraceparent } from "../../../src/telemetry/traceparent.ts";
import {
  endAttemptSpan,
  flushTraces,
  recordInSpan,
  startAttemptSpan,
} from "../../../src/telemetry/traces.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { registerSdk } from "../../support/tracing.ts";

const FACTS = {
  traceparent: "",
  tracestate: "",
  source: "hex",
  scheme: "hex",
  requestId: "r-1",
  resource: "/webhooks/hex",
  eventType: "t",
};
const RECORDED = { outcome: "accepted", id: "evt_1" } as const;
const DESTINATION = {
  name: "d",
  kind: "http",
  place: "https://d.example.com",
} as const;

/** Records a request and returns the `traceparent` for its event. */
async function record(facts: Partial<typeof FACTS> = {}) {
  let stored: string | null | undefined;
  await recordInSpan(
    { ...FACTS, ...facts },
    async (traceparent) => {
      stored = traceparent;
      return RECORDED;
    },
    () => 200,
  );
  return stored;
}

function deliveryOf(headers: object, id = "evt_1"): ClaimedDelivery {
  return {
    id: 1,
    destination: "d",
    attempt: 1,
    scheduledAttempt: 1,
    crashes: 0,
    startedAt: 0,
    event: {
      seq: 1,
      source: "hex",
      id,
      type: "t",
      receivedAt: 0,
      contentType: "application/json",
      headers: JSON.stringify(headers),
      body: Buffer.from("{}"),
    },
  };
}

function breakSdk(): void {
  const fail = (): never => {
    throw new Error("broken");
  };
  trace.setGlobalTracerProvider({ getTracer: fail });
  cleanUp(async () => {
    trace.disable();
  });
}

describe("a process without an SDK", () => {
  it("keeps the traceparent of the sender, and has no spans", async () => {
    expect(await record()).toBeNull();
    const span = startAttemptSpan(deliveryOf({}), DESTINATION);
    expect(span.traceparent).toBeNull();
    expect(span.run(() => 7)).toBe(7);
    endAttemptSpan(span, { ok: true });
    await flushTraces(1);
  });
});

describe("an SDK that throws", () => {
  it("changes nothing", async () => {
    breakSdk();
    expect(await record()).toBeNull();
    const span = startAttemptSpan(deliveryOf({}), DESTINATION);
    expect(span.traceparent).toBeNull();
  });
});

describe("an SDK whose contexts are broken", () => {
  const fail = (): never => {
    throw new Error("broken");
  };

  it.each<[string, (work: () => unknown) => unknown]>([
    ["fails before the work", fail],
    [
      "fails after the work",
      (work) => {
        work();
        return fail();
      },
    ],
    ["does not run the work", () => undefined],
    [
      "runs the work twice",
      (work) => {
        work();
        return work();
      },
    ],
  ])("%s: the work runs exactly once", (_name, run) => {
    registerSdk();
    context.disable();
    const broken: ContextManager = {
      active: () => ROOT_CONTEXT,
      with: ((_context: unknown, work: () => unknown) => run(work)) as never,
      bind: (_context, target) => target,
      enable: () => broken,
      disable: () => broken,
    };
    context.setGlobalContextManager(broken);
    let calls = 0;
    const span = startAttemptSpan(deliveryOf({}), DESTINATION);
    expect(
      span.run(() => {
        calls += 1;
        return calls;
      }),
    ).toBe(1);
    expect(calls).toBe(1);
    expect(() =>
      span.run(() => {
        throw new Error("of the work");
      }),
    ).toThrow("of the work");
  });
});

describe("the span of a request", () => {
  it("is inside the span of an instrumentation of HTTP servers", async () => {
    const sdk = registerSdk();
    const server = sdk.tracer.startSpan("server");
    await context.with(trace.setSpan(ROOT_CONTEXT, server), () => record());
    const [span] = sdk.spans();
    expect(span?.kind).toBe(SpanKind.INTERNAL);
    expect(span?.parentSpanContext).toMatchObject(server.spanContext());
  });

  it("continues the trace of the sender if another one is active", async () => {
    const sdk = registerSdk();
    const traceparent =
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const other = sdk.tracer.startSpan("other");
    await context.with(trace.setSpan(ROOT_CONTEXT, other), () =>
      record({ traceparent }),
    );
    const [span] = sdk.spans();
    expect(span?.kind).toBe(SpanKind.SERVER);
    expect(span?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
  });

  it.each([
    "",
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  ])("starts a trace if the sender's is not valid: %j", async (traceparent) => {
    const sdk = registerSdk();
    const stored = await record({ traceparent });
    const [span] = sdk.spans();
    expect(span?.parentSpanContext).toBeUndefined();
    expect(stored).toBe(formatTraceparent(span!.spanContext()));
  });

  it("ends with the error's code if the event cannot be stored", async () => {
    const sdk = registerSdk();
    const error = new StoreError("in-the-message", {
      code: "SQLITE_FULL",
      fatal: false,
    });
    const recording = recordInSpan(
      FACTS,
      () => Promise.reject(error),
      () => 200,
    );
    await expect(recording).rejects.toBe(error);
    const [span] = sdk.spans();
    expect(span?.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(span?.attributes).toMatchObject({
      "error.type": "SQLITE_FULL",
      "http.response.status_code": 503,
    });
    expect(span?.events).toEqual([]);
  });
});

describe("the span of an attempt", () => {
  it("belongs to one trace for all attempts of an event that was stored without one", () => {
    const sdk = registerSdk();
    for (const id of ["evt_1", "evt_1", "evt_2"]) {
      const span = startAttemptSpan(deliveryOf({}, id), DESTINATION);
      endAttemptSpan(span, { ok: true, status: 204 });
    }
    const [first, again, other] = sdk.spans().map((one) => one.spanContext());
    expect(first?.traceId).toBe(again?.traceId);
    expect(first?.spanId).not.toBe(again?.spanId);
    expect(first?.traceId).not.toBe(other?.traceId);
  });

  it("has no error if the attempt was released", () => {
    const sdk = registerSdk();
    endAttemptSpan(startAttemptSpan(deliveryOf({}), DESTINATION), null);
    const [span] = sdk.spans();
    expect(span?.status.code).toBe(SpanStatusCode.UNSET);
    expect(span?.attributes).toMatchObject({
      "hexhook.result": "released",
      "server.address": "d.example.com",
      "server.port": 443,
    });
  });

  it("has the reason of a failure without a status", () => {
    const sdk = registerSdk();
    endAttemptSpan(startAttemptSpan(deliveryOf({}), DESTINATION), {
      ok: false,
      reason: "network",
      detail: "ECONNREFUSED",
    });
    const [span] = sdk.spans();
    expect(span?.attributes["error.type"]).toBe("network");
    expect(span?.status.code).toBe(SpanStatusCode.ERROR);
  });
});

describe("flushTraces", () => {
  it.each<[string, () => Promise<void>]>([
    ["never ends", () => new Promise(() => undefined)],
    ["fails", () => Promise.reject(new Error("collector down"))],
  ])("resolves although the export %s", async (_what, forceFlush) => {
    const provider = { getTracer: () => trace.getTracer("x"), forceFlush };
    trace.setGlobalTracerProvider(provider);
    cleanUp(async () => {
      trace.disable();
    });
    await expect(flushTraces(1)).resolves.toBeUndefined();
  });
});
