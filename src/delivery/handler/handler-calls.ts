import { AsyncLocalStorage } from "node:async_hooks";
import type { AttemptFacts } from "../../domain/delivery.ts";

/** Maximum number of ended calls that are remembered, and for how long, in milliseconds. */
const MAX_RECENT = 8;
const RECENT_MS = 60_000;

/** Maximum number of calls that one error is attributed to. */
const MAX_SUSPECTS = 16;

/** How an error that no code catches came. */
export type UncaughtKind = "uncaught exception" | "unhandled rejection";

/** An error that a handler did not throw or reject with, but left to the process. */
export interface LateError {
  readonly thrown: unknown;
  readonly kind: UncaughtKind;
}

/** One call of a handler, for one attempt. */
export interface HandlerCall {
  /** Runs code of the handler: what it leaves to timers, promises and sockets is attributed to this call. */
  run: <T>(work: () => T) => T;
  /** Resolves with the first late error of this call, while the attempt is in flight. */
  readonly lateError: Promise<LateError>;
  /** The attempt has ended. */
  end: () => void;
}

/** The code of handlers that an asynchronous context belongs to. */
interface HandlerContext {
  /** The attempt; null while the handlers module is loaded. */
  readonly facts: AttemptFacts | null;
  /** Fails the attempt. False when it has ended. */
  readonly fail: (error: LateError) => boolean;
}

/** All calls of handlers in this process. */
export interface HandlerCalls {
  begin: (facts: AttemptFacts) => HandlerCall;
  /** Runs the import of a handlers module; what it leaves to timers, promises and sockets is attributed to it. */
  load: <T>(importModule: () => Promise<T>) => Promise<T>;
  /** Whose code this is, by its asynchronous context; null = not known to be a handler's. */
  current: () => HandlerContext | null;
  /** The attempts in flight and those that ended lately, newest first. */
  suspects: () => readonly AttemptFacts[];
  /** Whether any handler was called. */
  hasRun: () => boolean;
}

/** `monotonicNow`: in milliseconds. */
export function createHandlerCalls(monotonicNow: () => number): HandlerCalls {
  const storage = new AsyncLocalStorage<HandlerContext>();
  const inFlight = new Set<AttemptFacts>();
  const recent: { facts: AttemptFacts; endedAt: number }[] = [];
  let hasRun = false;

  return {
    begin(facts) {
      hasRun = true;
      let resolveLate: ((error: LateError) => void) | null = null;
      const lateError = new Promise<LateError>((resolve) => {
        resolveLate = resolve;
      });
      const context: HandlerContext = {
        facts,
        fail(error) {
          const isInFlight = resolveLate !== null;
          resolveLate?.(error);
          resolveLate = null;
          return isInFlight;
        },
      };
      inFlight.add(facts);
      return {
        run: (work) => storage.run(context, work),
        lateError,
        end() {
          resolveLate = null;
          inFlight.delete(facts);
          recent.unshift({ facts, endedAt: monotonicNow() });
          recent.length = Math.min(recent.length, MAX_RECENT);
        },
      };
    },
    load: (importModule) =>
      storage.run({ facts: null, fail: () => false }, importModule),
    current: () => storage.getStore() ?? null,
    suspects() {
      const since = monotonicNow() - RECENT_MS;
      return [
        ...[...inFlight].reverse(),
        ...recent
          .filter(({ endedAt }) => endedAt >= since)
          .map(({ facts }) => facts),
      ].slice(0, MAX_SUSPECTS);
    },
    hasRun: () => hasRun,
  };
}
