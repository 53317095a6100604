import { type Transferable, Worker } from "node:worker_threads";
import type { RecordOutcome } from "../../domain/event.ts";
import { asError, StoreError } from "../../errors.ts";
import type { EventStore } from "../port.ts";
import type {
  Call,
  CallerDeps,
  ThreadRequest,
  ThreadResponse,
} from "./messages.ts";
import { type PackedRecords, RecordPacker } from "./packed-records.ts";
import { deserializeError, serializeError } from "./serialized-error.ts";

/** A thread that serves a store, as the thread that uses it sees it. Everything rejects with StoreError. */
export interface Thread {
  /** Calls a method of what the thread serves. */
  readonly call: <T>(method: string, ...args: readonly unknown[]) => Promise<T>;
  readonly record: EventStore["record"];
  /** Every call rejects with this from now on, including calls in flight. */
  readonly fail: (error: StoreError) => void;
  /** Ends the thread, which should have nothing left to do. */
  readonly end: () => Promise<void>;
}

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: StoreError) => void;
}

/** Objects on these threads live for one batch. Node's default of 48 MB costs 10 MB more for each and is no faster. */
const YOUNG_GENERATION_MB = 4;

/** Starts a thread of a module that calls `serveCalls`. All calls of one turn go over in one message. */
export function startThread(
  module: URL,
  options: { workerData: unknown; transferList: Transferable[] },
  deps: CallerDeps,
): Thread {
  const worker = new Worker(module, {
    ...options,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  const pending = new Map<number, Pending>();
  const packer = new RecordPacker();
  let calls: Call[] = [];
  let lastId = 0;
  let isScheduled = false;
  let isEnding = false;
  let failure: StoreError | null = null;

  function post(): void {
    isScheduled = false;
    const records = packer.isEmpty ? null : packer.pack();
    const sent = calls;
    calls = [];
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
      pending.set(lastId, { resolve, reject });
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
    return found;
  }

  function fail(error: StoreError): void {
    failure ??= error;
    for (const { reject } of pending.values()) {
      reject(failure);
    }
    pending.clear();
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
  worker.on("exit", (code) => {
    die(`exit code ${code}`);
  });

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
      isEnding = true;
      fail(
        new StoreError("the store is closed", {
          code: "STORE_CLOSED",
          fatal: true,
        }),
      );
      await worker.terminate();
    },
  };
}
