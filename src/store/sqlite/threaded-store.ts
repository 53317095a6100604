import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { ClaimedDelivery } from "../../domain/delivery.ts";
import type { StoreError } from "../../errors.ts";
import { PROGRAM_FOLDER } from "../../program-folder.ts";
import { createCommitListeners } from "../commits.ts";
import type { Store } from "../port.ts";
import { startThread, type Thread } from "../thread/thread.ts";
import { asBuffer } from "./driver.ts";
import type { SqliteOptions } from "./store.ts";

/**
 * The thread of each method. Reads that decide about claims must see the latest write, so they run on the writer's thread.
 */
const THREAD_OF_METHOD = {
  addDeliveries: "writer",
  append: "writer",
  checkpoint: "writer",
  claim: "writer",
  discard: "writer",
  endPause: "writer",
  expire: "writer",
  forgetReplays: "writer",
  holdLease: "writer",
  holdPurges: "writer",
  arePurgesHeld: "writer",
  isRepeatCrashDue: "writer",
  limitDueTimes: "writer",
  nextDueAt: "writer",
  noteUse: "writer",
  probe: "writer",
  publishStatus: "writer",
  purge: "writer",
  purgeAudit: "writer",
  redeliver: "writer",
  release: "writer",
  saveSinkPosition: "writer",
  setPaused: "writer",
  settle: "writer",
  countDeliveries: "reader",
  destinationGauges: "reader",
  findEvents: "reader",
  heads: "reader",
  lastPosition: "reader",
  lastUses: "reader",
  newestTime: "reader",
  savedSinks: "reader",
  pausedDestinations: "reader",
  positionBefore: "reader",
  processStatuses: "reader",
  readAudit: "reader",
  readBody: "reader",
  scanEvents: "reader",
  searchAudit: "reader",
  sinkPosition: "reader",
  storeBytes: "reader",
} as const satisfies Record<RemoteMethod, "writer" | "reader">;

type RemoteMethod = Exclude<
  keyof Store,
  "record" | "onCommit" | "clock" | "isShared" | "close"
>;

/**
 * Opens the store on two threads: one writes, one reads. Syncs, waits for locks and long queries block neither this thread
 * nor each other. Rejects with StoreError in the cases in which `openSqliteStore` throws it.
 */
export async function openThreadedSqliteStore(
  options: Omit<SqliteOptions, "checkpointFirst" | "isEnding">,
): Promise<Store> {
  const { file, now, onFatal, ...rest } = options;
  const listeners = createCommitListeners();
  let isDead = false;

  function die(error: StoreError): void {
    if (!isDead) {
      isDead = true;
      threads.writer.fail(error);
      threads.reader.fail(error);
      onFatal(error);
    }
  }

  const deps = { now, onCommit: listeners.notify, onFatal: die };
  const { port1, port2 } = new MessageChannel();
  const start = (module: string, data: object, walPort: MessagePort): Thread =>
    startThread(
      new URL(module, PROGRAM_FOLDER),
      { workerData: { ...data, file, walPort }, transferList: [walPort] },
      deps,
    );
  const { writer, signingKey, delivers } = rest;
  const threads = {
    writer: start("writer-thread.js", { writer, signingKey, delivers }, port1),
    reader: start("reader-thread.js", {}, port2),
  };

  async function end(): Promise<void> {
    await Promise.all([threads.reader.end(), threads.writer.end()]);
  }

  let closing: Promise<void> | null = null;
  async function close(): Promise<void> {
    try {
      if (!isDead) {
        await threads.reader.call("close");
        await threads.writer.call("close");
      }
    } finally {
      await end();
    }
  }

  try {
    // The writer opens first, because it brings the schema up to date.
    await threads.writer.call("open");
    await threads.reader.call("open");
  } catch (error) {
    await end();
    throw error;
  }

  const methods: Pick<Store, RemoteMethod> = Object.fromEntries(
    Object.entries(THREAD_OF_METHOD).map(([name, thread]) => [
      name,
      (...args: unknown[]) => threads[thread].call<never>(name, ...args),
    ]),
  ) as Record<RemoteMethod, (...args: unknown[]) => Promise<never>>;
  return {
    ...methods,
    record: threads.writer.record,
    claim: async (request) =>
      (await methods.claim(request)).map(withBodyAsBuffer),
    readBody: async (seq) => {
      const body = await methods.readBody(seq);
      return body === null ? null : asBuffer(body);
    },
    onCommit: listeners.add,
    clock: now,
    isShared: false,
    close: () => (closing ??= close()),
  };
}

/** Restores the Buffer of the body. A message between threads turns it into a Uint8Array. */
function withBodyAsBuffer(delivery: ClaimedDelivery): ClaimedDelivery {
  const { event } = delivery;
  return { ...delivery, event: { ...event, body: asBuffer(event.body) } };
}
