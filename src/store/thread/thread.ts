import { setTimeout as delay } from "node:timers/promises";
import { type Transferable, Worker } from "node:worker_threads";
import type { RecordOutcome } from "../../domain/event.ts";
import { asError, StoreError } from "../../errors.ts";
import type { EventStore } from "../port.ts";
import {
  type Call,
  type CallerDeps,
  END,
  type ThreadRequest,
  type ThreadResponse,
} from "./messages.ts";
import { type PackedRecords, RecordPacker } from "./packed-records.ts";
import { deserializeError, serializeError } from "./serialized-error.ts";

/** A thread that serves a store, as the thread that uses it sees it. Everything rejects with StoreError. */
export interface Thread {
  /** Calls a method of what the thread serves. */
  readonly call: <T>(method: string, ...args: readonly unknown[]) => Promise<T>;
  readonly record: EventStore["record"];
  /**
   * Every call rejects with this from now on, and those that were not sent yet. What was sent may still be done: it gets the
   * thread's answer, or none.
   */
  readonly fail: (error: StoreError) => void;
  /** Ends the thread between two calls. */
  readonly end: () => Promise<void>;
}

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: StoreError) => void;
}

/** Objects on these threads live for one batch. Node's default of 48 MB costs 10 MB more for each and is no faster. */
const YOUNG_GENERATION_MB = 4;

/** How long a thread that is told to end may take, in milliseconds. */
const END_MS = 1000;

/** The threads that run, each by what ends it: true when it has ended. */
const running = new Set<(withinMs: number) => Promise<boolean>>();

/**
 * Ends all threads of stores; to be awaited before `process.exit`. That would end a thread in the middle of a call of SQLite,
 * on which the package for Node 20 aborts the process. False when a thread does not end in time: a call of it hangs.
 */
export async function endThreads(withinMs = END_MS): Promise<boolean> {
  const ended = await Promise.all([...running].map((end) => end(withinMs)));
  return ended.every(Boolean);
}

/**
 * Starts a thread of a module that calls `serveCalls`, with `ending` beside its data: that turns 1 when the thread is told to
 * end, which a call that waits can see. All calls of one turn go over in one message.
 */
export function startThread(
  module: URL,
  options: { workerData: object; transferList: Transferable[] },
  deps: CallerDeps,
): Thread {
  const ending = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(module, {
    ...options,
    workerData: { ...options.workerData, ending },
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  /** It keeps the process alive only while something is asked of it. */
  worker.unref();
  const pending = new Map<number, Pending>();
  /** The ids of what is not sent yet. */
  let unsent: number[] = [];
  let packer = new RecordPacker();
  let calls: Call[] = [];
  let lastId = 0;
  let isScheduled = false;
  let isEnding = false;
  let failure: StoreError | null = null;

  function post(): void {
    isScheduled = false;
    if (unsent.length === 0) {
      return;
    }
    const records = packer.isEmpty ? null : packer.pack();
    const sent = calls;
    calls = [];
    unsent = [];
    try {
      send(records, sent);
    } catch {
      // Nothing was sent: an argument of one call cannot be cloned. Send the calls one by one, so that only that one fails.
      send(records, []);
      for (const call of sent) {
        try {
          send(null, [call]);
        } catch (error) {
          takePending(call.id)?.reject(deserializeError(serializeError(error)));
        }
      }
    }
  }

  function send(records: PackedRecords | null, some: readonly Call[]): void {
    const request: ThreadRequest = { now: deps.now(), records, calls: some };
    worker.postMessage(request, records === null ? [] : [records.bytes.buffer]);
  }

  function request<T>(add: (id: number) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (failure !== null) {
        reject(failure);
        return;
      }
      lastId += 1;
      if (pending.size === 0) {
        worker.ref();
      }
      pending.set(lastId, { resolve, reject });
      unsent.push(lastId);
      add(lastId);
      if (!isScheduled) {
        isScheduled = true;
        setImmediate(post);
      }
    });
  }

  function takePending(id: number): Pending | undefined {
    const found = pending.get(id);
    pending.delete(id);
    if (pending.size === 0) {
      worker.unref();
    }
    return found;
  }

  function fail(error: StoreError): void {
    failure ??= error;
    for (const id of unsent) {
      takePending(id)?.reject(failure);
    }
    unsent = [];
    calls = [];
    packer = new RecordPacker();
  }

  async function end(withinMs: number): Promise<boolean> {
    isEnding = true;
    Atomics.store(ending, 0, 1);
    fail(
      new StoreError("the store is closed", {
        code: "STORE_CLOSED",
        fatal: true,
      }),
    );
    worker.ref();
    worker.postMessage(END);
    // The thread keeps the process alive, not the time that it is given.
    const late = delay(withinMs, false, { ref: false });
    return Promise.race([exited.then(() => true), late]);
  }

  function die(reason: string): void {
    if (failure === null && !isEnding) {
      const error = new StoreError(`a thread of the store died (${reason})`, {
        code: "STORE_THREAD_DIED",
        fatal: true,
      });
      fail(error);
      deps.onFatal(error);
    }
  }

  worker.on("message", (response: ThreadResponse) => {
    const { commits, outcomes, results, failures, fatal } = response;
    for (const commit of commits) {
      deps.onCommit(commit);
    }
    for (let i = 0; i < outcomes.length; i += 2) {
      takePending(outcomes[i] as number)?.resolve(outcomes[i + 1] as never);
    }
    for (const { id, value } of results) {
      takePending(id)?.resolve(value as never);
    }
    for (const { id, error } of failures) {
      takePending(id)?.reject(deserializeError(error));
    }
    if (fatal !== null) {
      deps.onFatal(deserializeError(fatal));
    }
  });
  worker.on("error", (error) => {
    die(asError(error).message);
  });
  const exited = new Promise<void>((resolve) => {
    worker.on("exit", (code) => {
      running.delete(end);
      resolve();
      die(`exit code ${code}`);
    });
  });
  running.add(end);

  return {
    call: (method, ...args) =>
      request((id) => {
        calls.push({ id, method, args });
      }),
    record: (record) =>
      request<RecordOutcome>((id) => {
        packer.add(id, record);
      }),
    fail,
    async end() {
      await end(END_MS);
    },
  };
}
