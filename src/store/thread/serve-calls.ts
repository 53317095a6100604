import { parentPort } from "node:worker_threads";
import type { Commit, EventStore } from "../port.ts";
import {
  type CallerDeps,
  END,
  type ThreadRequest,
  type ThreadResponse,
} from "./messages.ts";
import { unpackRecords } from "./packed-records.ts";
import { serializeError } from "./serialized-error.ts";

/** The methods that a thread serves. */
export interface ThreadMethods {
  readonly record?: EventStore["record"];
  /** The methods by their names. Members that are not functions are ignored. */
  readonly methods: Readonly<Record<string, unknown>>;
}

type Outgoing = {
  -readonly [Name in keyof ThreadResponse]: ThreadResponse[Name];
} & {
  commits: Commit[];
  recorded: (number | string)[];
  results: ThreadResponse["results"][number][];
  failures: ThreadResponse["failures"][number][];
};

/**
 * Serves calls of the thread that started this one. All results of a turn go back in one message. The first call is `open`,
 * which creates the methods that are served from then on.
 */
export function serveCalls(open: (caller: CallerDeps) => ThreadMethods): void {
  const port = parentPort;
  if (port === null) {
    throw new Error("this module must run in a worker thread");
  }
  let served: ThreadMethods = { methods: {} };
  let now = 0;
  let response = emptyResponse();
  let isScheduled = false;

  /** Sends the response after the callbacks of all promises that a commit resolves, and before the next commit. */
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
      // Sent in the same message as the results of the committed calls.
      if (commit.entries.length > 0 || commit.due.size > 0) {
        response.commits.push(commit);
      }
    },
    onFatal(error) {
      response.fatal = serializeError(error);
      schedule();
    },
  };

  function respond<T>(
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
    if (typeof found !== "function") {
      throw new Error(`the store has no method ${method}`);
    }
    return (found as (...args: readonly unknown[]) => unknown)(...args);
  }

  port.on("message", (request: ThreadRequest | typeof END) => {
    if (request === END) {
      // This ends only the thread. No call of SQLite is in progress here.
      process.exit();
    }
    ({ now } = request);
    const { record } = served;
    if (request.records !== null && record !== undefined) {
      for (const { id, record: one } of unpackRecords(request.records)) {
        respond(id, record(one), (recorded) => {
          response.recorded.push(id, recorded.outcome, recorded.id);
        });
      }
    }
    for (const { id, method, args } of request.calls) {
      respond(id, call(method, args), (value) => {
        response.results.push({ id, value });
      });
    }
  });
}

function emptyResponse(): Outgoing {
  return {
    commits: [],
    recorded: [],
    results: [],
    failures: [],
    fatal: null,
  };
}
