import { parentPort } from "node:worker_threads";
import type { RecordOutcome } from "../../domain/event.ts";
import type { StoreError } from "../../errors.ts";
import type { Commit, EventStore } from "../port.ts";
import { type Request, type Response, sendable } from "./messages.ts";
import { unpackRecords } from "./packed-records.ts";

/** What a thread does for the one that started it. */
export interface Served {
  readonly record?: EventStore["record"];
  /** By name. */
  readonly methods: Readonly<
    Record<string, (...args: never[]) => Promise<unknown>>
  >;
}

/** What a thread's store takes from the thread that uses it. */
export interface Caller {
  /** Its clock, as of its last message. Unix milliseconds. */
  readonly now: () => number;
  readonly onCommit: (commit: Commit) => void;
  readonly onFatal: (error: StoreError) => void;
}

type Outgoing = { -readonly [Name in keyof Response]: Response[Name] } & {
  commits: Commit[];
  outcomes: (number | RecordOutcome)[];
  results: Response["results"][number][];
  failures: Response["failures"][number][];
};

/**
 * Serves the thread that started this one, all answers of a turn in one message. The first call is `open`: it makes what is
 * served from then on.
 */
export function serveCalls(open: (caller: Caller) => Served): void {
  const port = parentPort;
  if (port === null) {
    throw new Error("this module runs in a worker thread");
  }
  let served: Served = { methods: {} };
  let now = 0;
  let response = emptyResponse();
  let scheduled = false;

  /** Sends after all promises that a commit resolves were looked at, and before the next commit. */
  function schedule(): void {
    if (!scheduled) {
      scheduled = true;
      process.nextTick(() => {
        scheduled = false;
        port?.postMessage(response);
        response = emptyResponse();
      });
    }
  }

  const caller: Caller = {
    now: () => now,
    onCommit(commit) {
      if (commit.entries.lines.length > 0 || commit.due.size > 0) {
        response.commits.push(commit);
        schedule();
      }
    },
    onFatal(error) {
      response.fatal = sendable(error);
      schedule();
    },
  };

  function answer<T>(
    id: number,
    work: Promise<T>,
    succeed: (value: T) => void,
  ): void {
    work
      .then(succeed, (error: unknown) => {
        response.failures.push({ id, error: sendable(error) });
      })
      .finally(schedule);
  }

  async function call(method: string, args: readonly unknown[]) {
    if (method === "open") {
      served = open(caller);
      return undefined;
    }
    const found = served.methods[method];
    if (found === undefined) {
      throw new Error(`the store has no method ${method}`);
    }
    return found(...(args as never[]));
  }

  port.on("message", (request: Request) => {
    ({ now } = request);
    const { record } = served;
    if (request.records !== null && record !== undefined) {
      for (const { id, record: one } of unpackRecords(request.records)) {
        answer(id, record(one), (outcome) => {
          response.outcomes.push(id, outcome);
        });
      }
    }
    for (const { id, method, args } of request.calls) {
      answer(id, call(method, args), (value) => {
        response.results.push({ id, value });
      });
    }
  });
}

function emptyResponse(): Outgoing {
  return {
    commits: [],
    outcomes: [],
    results: [],
    failures: [],
    fatal: null,
  };
}
