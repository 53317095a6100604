import { type MessagePort, workerData } from "node:worker_threads";
import type { StoreDeps } from "../port.ts";
import { serveCalls } from "../thread/serve-calls.ts";
import { askToMoveLog } from "./log-mover.ts";
import { openSqliteStore } from "./store.ts";

/* The thread that writes: the whole store, beside which the reader's thread reads. */

interface WriterData extends Pick<
  StoreDeps,
  "writer" | "signingKey" | "delivers"
> {
  readonly file: string;
  /** Leads to the reader's thread. */
  readonly logPort: MessagePort;
}

const { logPort, ...options } = workerData as WriterData;

serveCalls(({ now, onCommit, onFatal }) => {
  const moveLogFirst = askToMoveLog(logPort);
  const store = openSqliteStore({ ...options, now, onFatal, moveLogFirst });
  const { record, onCommit: listen, ...methods } = store;
  listen(onCommit);
  return { record, methods };
});
