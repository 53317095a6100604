import { setTimeout as delay } from "node:timers/promises";
import { type Transferable, Worker } from "node:worker_threads";
import type { Recorded } from "../../domain/event.ts";
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

/** The caller's side of a thread that serves a store. All calls reject with StoreError. */
export interface Thread {
  /** Calls a method that the thread serves. */
  readonly call: <T>(method: string, ...args: readonly unknown[]) => Promise<T>;
  readonly record: EventStore["record"];
  /**
   * Makes all later calls, and those that are not sent yet, reject with this error. Calls that were already sent may still
   * run. They get the thread's result, or never settle.
   */
  readonly fail: (error: StoreError) => void;
  /** Ends the thread between two calls. */
  readonly end: () => Promise<void>;
}

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: StoreError) => void;
}

/**
 * Objects on these threads live only for one batch. Node's default of 48 MB costs 10 MB more for each thread and is no
 * faster.
 */
const YOUNG_GENERATION_MB = 4;

/** How long a thread may take to end, in milliseconds. */
const END_MS = 1000;

/** The running threads, each as the function that ends it. The function resolves to true when the thread has ended. */
const running = new Set<(withinMs: number) => Promise<boolean>>();

/**
 * Ends all threads of stores. The caller must await it before `process.exit`, which would end a thread during a call of
 * SQLite; the package for Node 20 then aborts the process. Resolves to false if a thread does not end in time, because one of
 * its calls hangs.
 */
export async function endThreads(withinMs = END_MS): Promise<boolean> {
  const ended = await Promise.all([...running].map((end) => end(withinMs)));
  return ended.every(Boolean);
}

/**
 * Starts a thread with a module that calls `serveCalls`. All calls of one turn of the event loop are sent in one message.
 * The thread also gets `ending`, which becomes 1 when the thread must end, so that a waiting call can stop.
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
  /** The thread keeps the process alive only while a call is pending. */
  worker.unref();
  const pending = new Map<number, Pending>();
  /** The ids of the calls that are not sent yet. */
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
    // Only the thread keeps the process alive, not this timer.
    const timeout = delay(withinMs, false, { ref: false });
    return Promise.race([exited.then(() => true), timeout]);
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
    const { commits, recorded, results, failures, fatal } = response;
    for (const commit of commits) {
      deps.onCommit(commit);
    }
    for (let i = 0; i < recorded.length; i += 3) {
      takePending(recorded[i] as number)?.resolve({
        outcome: recorded[i + 1],
        id: recorded[i + 2],
      } as never);
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
      request<Recorded>((id) => {
        packer.add(id, record);
      }),
    fail,
    async end() {
      await end(END_MS);
    },
  };
}
