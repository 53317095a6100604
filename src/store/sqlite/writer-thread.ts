import { type MessagePort, workerData } from "node:worker_threads";
import type { StoreDeps } from "../port.ts";
import { serveCalls } from "../thread/serve-calls.ts";
import { requestWalCheckpoints } from "./remote-wal-checkpoint.ts";
import { openSqliteStore } from "./store.ts";

/* The thread that writes. It has the complete store; the reader's thread reads at the same time. */

interface WriterData extends Pick<
  StoreDeps,
  "writer" | "signingKey" | "delivers"
> {
  readonly file: string;
  /** Connects to the reader's thread. */
  readonly walPort: MessagePort;
  readonly ending: Int32Array;
}

const { walPort, ending, ...options } = workerData as WriterData;

serveCalls(({ now, onCommit, onFatal }) => {
  const checkpointFirst = requestWalCheckpoints(walPort);
  const isEnding = () => Atomics.load(ending, 0) === 1;
  const store = openSqliteStore({
    ...options,
    now,
    onFatal,
    checkpointFirst,
    isEnding,
  });
  const { record, onCommit: listen, ...methods } = store;
  listen(onCommit);
  return { record, methods };
});
