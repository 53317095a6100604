import { AsyncLocalStorage } from "node:async_hooks";
import type { AttemptFacts } from "../../domain/delivery.ts";

/** The maximum number of ended calls that are remembered, and for how long, in milliseconds. */
const MAX_RECENT = 8;
const RECENT_MS = 60_000;

/** Maximum number of calls that one error is attributed to. */
const MAX_SUSPECTS = 16;

/** How the process received an error that no code caught. */
export type UncaughtKind = "uncaught exception" | "unhandled rejection";

/** An error that a handler neither threw nor rejected with, and that reached the process. */
export interface LateError {
  readonly thrown: unknown;
  readonly kind: UncaughtKind;
}

/** One call of a handler, for one attempt. */
export interface HandlerCall {
  /** Runs code of the handler. Errors in its timers, promises and sockets are attributed to this call. */
  run: <T>(work: () => T) => T;
  /** Resolves with the first late error of this call, while the attempt is in flight. */
  readonly lateError: Promise<LateError>;
  /** Records that the attempt has ended. */
  end: () => void;
}

/** The handler code that runs in an asynchronous context. */
interface HandlerContext {
  /** The attempt; null for the import of the handlers module. */
  readonly facts: AttemptFacts | null;
  /** Fails the attempt. Returns false when it has already ended. */
  readonly fail: (error: LateError) => boolean;
}

/** Tracks all calls of handlers in this process. */
export interface HandlerCalls {
  begin: (facts: AttemptFacts) => HandlerCall;
  /** Runs the import of a handlers module. Errors in its timers, promises and sockets are attributed to the import. */
  load: <T>(importModule: () => Promise<T>) => Promise<T>;
  /** Returns the handler code that runs now, found by its asynchronous context; null = none is known. */
  current: () => HandlerContext | null;
  /** Returns the attempts in flight and those that ended recently, newest first. */
  suspects: () => readonly AttemptFacts[];
  /** Returns whether any handler was ever called. */
  hasRun: () => boolean;
}

/** Creates a tracker without calls. `monotonicNow` returns milliseconds. */
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
