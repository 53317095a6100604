import {
  type Attributes,
  context,
  createTraceState,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  trace,
  type Tracer,
  type TracerProvider,
} from "@opentelemetry/api";
import type { AttemptResult, ClaimedDelivery } from "../domain/delivery.ts";
import type { Destination } from "../domain/destination.ts";
import type { Recorded } from "../domain/event.ts";
import { asError, StoreError } from "../errors.ts";
import { VERSION } from "../version.ts";
import {
  formatTraceparent,
  parseTraceparent,
  type TraceContext,
  traceOf,
} from "./traceparent.ts";

/** The path of an endpoint, with few different values as the conventions of OpenTelemetry ask. */
const ROUTE = "/webhooks/:source";

/** A span in progress. Errors of the SDK are ignored. */
export interface TraceSpan {
  /** The header `traceparent` for what the span causes; null if the process has no OpenTelemetry SDK. */
  readonly traceparent: string | null;
  /** Runs code with the span as the active one. */
  readonly run: <T>(work: () => T) => T;
  /** Ends the span. Must be called exactly once. `errorType`: a code, for a span that failed. */
  readonly end: (attributes: Attributes, errorType?: string) => void;
}

const NO_SPAN: TraceSpan = {
  traceparent: null,
  run: (work) => work(),
  end: () => undefined,
};

/** The facts about a verified request that its span contains. No attribute contains a header, a body or a secret. */
export interface AcceptFacts {
  /** The sender's header `traceparent`; "" if it is absent. */
  readonly traceparent: string;
  /** The sender's header `tracestate`; "" if it is absent. */
  readonly tracestate: string;
  readonly source: string;
  readonly scheme: string;
  readonly requestId: string;
  /** The path, without the query. */
  readonly resource: string;
  readonly eventType: string;
}

/**
 * Records a verified request in a span, as a child of the sender's span. `record` gets the `traceparent` to store with the
 * event; null = the sender's. `statusOf` returns the status of the response.
 */
export async function recordInSpan(
  facts: AcceptFacts,
  record: (traceparent: string | null) => Promise<Recorded>,
  statusOf: (recorded: Recorded) => number,
): Promise<Recorded> {
  const span = startAcceptSpan(facts);
  try {
    const recorded = await record(span.traceparent);
    span.end({
      // It may differ from the id that the sender gave.
      "hexhook.event.id": recorded.id,
      "hexhook.outcome": recorded.outcome,
      "http.response.status_code": statusOf(recorded),
    });
    return recorded;
  } catch (error) {
    span.end(
      { "http.response.status_code": 503 },
      error instanceof StoreError ? error.code : asError(error).name,
    );
    throw error;
  }
}

function startAcceptSpan(facts: AcceptFacts): TraceSpan {
  return startSpan(() => {
    const sent = parseTraceparent(facts.traceparent);
    const parent = localParent(sent) ?? remote(sent, facts.tracestate);
    return {
      name: `POST ${ROUTE}`,
      parent,
      // An instrumentation of HTTP servers may have made the span of the request already.
      kind: parent?.isRemote === false ? SpanKind.INTERNAL : SpanKind.SERVER,
      attributes: {
        "http.request.method": "POST",
        "http.route": ROUTE,
        "url.path": facts.resource,
        "hexhook.source": facts.source,
        "hexhook.scheme": facts.scheme,
        "hexhook.request.id": facts.requestId,
        "hexhook.event.type": facts.eventType,
      },
    };
  });
}

/** Starts the span of an attempt, as a child of the span that accepted the event, even in another process. */
export function startAttemptSpan(
  { event, attempt }: ClaimedDelivery,
  destination: Pick<Destination, "name" | "kind" | "place">,
): TraceSpan {
  return startSpan(() => {
    const { tracestate = "", ...stored } = traceOf(event);
    return {
      name: `attempt ${destination.name}`,
      parent: remote(stored, tracestate),
      kind: destination.kind === "http" ? SpanKind.CLIENT : SpanKind.CONSUMER,
      attributes: {
        "hexhook.source": event.source,
        "hexhook.event.id": event.id,
        "hexhook.event.type": event.type,
        "hexhook.destination": destination.name,
        "hexhook.attempt": attempt,
        ...(destination.kind === "http" && serverOf(destination.place)),
      },
    };
  });
}

/** Ends the span of an attempt. `result`: null for an attempt that was released and will be made again. */
export function endAttemptSpan(
  span: TraceSpan,
  result: AttemptResult | null,
): void {
  if (result === null) {
    span.end({ "hexhook.result": "released" });
    return;
  }
  const { ok, status } = result;
  span.end(
    {
      "hexhook.result": ok ? "succeeded" : "failed",
      ...(status !== undefined && { "http.response.status_code": status }),
    },
    ok ? undefined : String(status ?? result.reason),
  );
}

/**
 * Waits until the SDK has exported the spans that ended, at most `timeoutMs`. An SDK exports them in batches, and the last
 * batch would be lost when the process exits.
 */
export async function flushTraces(timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  try {
    const sdk: TracerProvider & { forceFlush?: () => Promise<void> } =
      withoutProxy(trace.getTracerProvider());
    await Promise.race([sdk.forceFlush?.(), late]);
  } catch {
    // The collector cannot be reached, which the SDK reports, or the SDK is broken.
  } finally {
    clearTimeout(timer);
  }
}

/** Returns the tracer of the SDK; null if there is none. A handlers module may register an SDK after the start. */
function currentTracer(): Tracer | null {
  const provider = trace.getTracerProvider();
  return provider instanceof ProxyTracerProvider
    ? (provider.getDelegateTracer("hexhook", VERSION) ?? null)
    : provider.getTracer("hexhook", VERSION);
}

function withoutProxy(provider: TracerProvider): TracerProvider {
  // Another copy of the API has its own class for this.
  return "getDelegate" in provider
    ? (provider as ProxyTracerProvider).getDelegate()
    : provider;
}

/** Starts a span. `options` is called only if there is an SDK. */
function startSpan(
  options: () => SpanOptions & {
    readonly name: string;
    readonly parent: SpanContext | null;
  },
): TraceSpan {
  try {
    const tracer = currentTracer();
    if (tracer === null) {
      return NO_SPAN;
    }
    const { name, parent, ...rest } = options();
    const from =
      parent === null
        ? ROOT_CONTEXT
        : trace.setSpanContext(ROOT_CONTEXT, parent);
    return spanOf(tracer.startSpan(name, rest, from), parent);
  } catch {
    // A broken SDK must not change what the service does.
    return NO_SPAN;
  }
}

function spanOf(span: Span, parent: SpanContext | null): TraceSpan {
  const own = span.spanContext();
  // A tracer that does nothing returns the parent, or no ids.
  const isOwn = trace.isSpanContextValid(own) && own.spanId !== parent?.spanId;
  const active = trace.setSpan(ROOT_CONTEXT, span);
  return {
    traceparent: isOwn ? formatTraceparent(own) : null,
    run: (work) => {
      const once = runOnce(work);
      try {
        context.with(active, once);
      } catch {
        // As above.
      }
      return once();
    },
    end(attributes, errorType) {
      try {
        span.setAttributes(attributes);
        if (errorType !== undefined) {
          span.setAttribute("error.type", errorType);
          span.setStatus({ code: SpanStatusCode.ERROR });
        }
        span.end();
      } catch {
        // As above.
      }
    },
  };
}

/** Returns a function that calls `work` the first time, and returns the same value or throws the same error each time. */
function runOnce<T>(work: () => T): () => T {
  const results: (() => T)[] = [];
  return () => {
    if (results.length === 0) {
      results.push(resultOf(work));
    }
    const [result = work] = results;
    return result();
  };
}

function resultOf<T>(work: () => T): () => T {
  try {
    const value = work();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** Returns the active span if it continues the sender's trace, or if the sender has none. */
function localParent(sent: TraceContext | null): SpanContext | null {
  const active = trace.getSpanContext(context.active());
  return active !== undefined &&
    trace.isSpanContextValid(active) &&
    (sent === null || active.traceId === sent.traceId)
    ? { ...active, isRemote: false }
    : null;
}

function remote(
  sent: TraceContext | null,
  tracestate: string,
): SpanContext | null {
  return sent === null
    ? null
    : { ...sent, isRemote: true, traceState: createTraceState(tracestate) };
}

/** Returns the attributes of an HTTP client for an origin. */
function serverOf(origin: string): Attributes {
  const { protocol, hostname, port } = new URL(origin);
  return {
    "http.request.method": "POST",
    "server.address": hostname,
    "server.port": Number(port) || (protocol === "https:" ? 443 : 80),
  };
}
