import { expect } from "@jest/globals";
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { cleanUp } from "./cleanup.ts";

/** Registers the real SDK in this process until the test ends, with its default sampler and an exporter in memory. */
export function registerSdk() {
  const exporter = new InMemorySpanExporter();
  let started = 0;
  let flushes = 0;
  const provider = new BasicTracerProvider({
    spanProcessors: [
      new SimpleSpanProcessor(exporter),
      {
        onStart: () => {
          started += 1;
        },
        onEnd: () => undefined,
        forceFlush: async () => {
          flushes += 1;
        },
        shutdown: async () => undefined,
      },
    ],
  });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(
    new AsyncLocalStorageContextManager().enable(),
  );
  cleanUp(async () => {
    trace.disable();
    context.disable();
    await provider.shutdown();
  });
  return {
    tracer: provider.getTracer("sender"),
    flushes: () => flushes,
    /** Returns the ended spans of a trace, in the order of their end. */
    spansOf: (traceId: string): readonly ReadableSpan[] =>
      exporter
        .getFinishedSpans()
        .filter((span) => span.spanContext().traceId === traceId),
    spans: () => exporter.getFinishedSpans(),
    expectAllEnded: () => {
      expect(exporter.getFinishedSpans()).toHaveLength(started);
    },
  };
}
