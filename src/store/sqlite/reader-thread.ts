import { type MessagePort, workerData } from "node:worker_threads";
import { serveCalls } from "../thread/serve-calls.ts";
import { answerMoveLog } from "./log-mover.ts";
import { openForWriting } from "./open.ts";
import { createReading } from "./reading.ts";
import { asStoreError } from "./store-error.ts";
import { moveLog } from "./write-ahead-log.ts";

/* The thread that reads, and moves the write-ahead log, beside the one that writes. */

interface ReaderData {
  readonly file: string;
  /** Leads to the writer's thread. */
  readonly logPort: MessagePort;
}

const { file, logPort } = workerData as ReaderData;

serveCalls(({ now }) => {
  const db = openForWriting(file);
  answerMoveLog(logPort, () => {
    try {
      moveLog(db);
    } catch (error) {
      throw asStoreError(error);
    }
  });
  return {
    methods: {
      ...createReading(db, now),
      async close() {
        db.close();
      },
    },
  };
});
