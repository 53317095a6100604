import { parentPort } from "node:worker_threads";
import type { RecordOutcome } from "../../domain/event.ts";
import type { Commit, EventStore } from "../port.ts";
import {
  type CallerDeps,
  END,
  type ThreadRequest,
  type ThreadResponse,
} from "./messages.ts";
import { unpackRecords } from "./packed-records.ts";
import { serializeError } from "./serialized-error.ts";

/** What a thread does for the one that started it. */
export interface ThreadMethods {
  readonly record?: EventStore["record"];
  /** By name. */
  readonly methods: Readonly<
    Record<string, (...args: never[]) => Promise<unknown>>
  >;
}

type Outgoing = {
  -readonly [Name in keyof ThreadResponse]: ThreadResponse[Name];
} & {
  commits: Commit[];
  outcomes: (number | RecordOutcome)[];
  results: ThreadResponse["results"][number][];
  failures: ThreadResponse["failures"][number][];
};

/**
 * Serves the thread that started this one, all answers of a turn in one message. The first call is `open`: it makes what is
 * served from then on.
 */
export function serveCalls(open: (caller: CallerDeps) => ThreadMethods): void {
  const port = parentPort;
  if (port === null) {
    throw new Error("this module runs in a worker thread");
  }
  let served: ThreadMethods = { methods: {} };
  let now = 0;
  let response = emptyResponse();
  let isScheduled = false;

  /** Sends once every promise that a commit resolves has run its callbacks, and before the next commit. */
  function schedule(): void {
    if (!isScheduled) {
      isScheduled = true;
      process.nextTick(send);
    }
  }

  function send(): void {
    isScheduled = false;
    port?.postMessage(response);
    response = emptyResponse();
  }

  const caller: CallerDeps = {
    now: () => now,
    onCommit(commit) {
      // Sent with the answers to what was committed.
      if (commit.entries.lines.length > 0 || commit.due.size > 0) {
        response.commits.push(commit);
      }
    },
    onFatal(error) {
      response.fatal = serializeError(error);
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
        response.failures.push({ id, error: serializeError(error) });
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

  port.on("message", (request: ThreadRequest | typeof END) => {
    if (request === END) {
      // Of this thread alone. No call of SQLite is in progress here.
      process.exit();
    }
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
