import { hash as digest } from "node:crypto";
import type { StoredEvent } from "../domain/event.ts";

/** The ids of a span (W3C Trace Context). */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  /** Bit 0: the trace is sampled. */
  readonly traceFlags: number;
}

const SAMPLED = 1;

/** An id of zeros is invalid. */
const TRACEPARENT =
  /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Parses the header `traceparent`. Returns null if it is not valid. */
export function parseTraceparent(header: string): TraceContext | null {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(header) ?? [];
  return traceId === undefined || spanId === undefined || flags === undefined
    ? null
    : { traceId, spanId, traceFlags: Number.parseInt(flags, 16) };
}

/** Returns the value of the header `traceparent`. */
export function formatTraceparent(context: TraceContext): string {
  const flags = context.traceFlags.toString(16).padStart(2, "0");
  return `00-${context.traceId}-${context.spanId}-${flags}`;
}

/** Returns the trace that the event was stored with, or one derived from the event. It is the same for every attempt. */
export function traceOf(event: StoredEvent): TraceContext & {
  /** The header `tracestate`, verbatim. */
  readonly tracestate?: string | undefined;
} {
  const { traceparent = "", tracestate } = JSON.parse(event.headers) as {
    traceparent?: string;
    tracestate?: string;
  };
  const stored = parseTraceparent(traceparent);
  if (stored !== null) {
    return { ...stored, tracestate };
  }
  const derived = digest("sha256", `${event.source}/${event.id}`, "hex");
  return {
    traceId: derived.slice(0, 32),
    spanId: derived.slice(32, 48),
    traceFlags: SAMPLED,
  };
}
