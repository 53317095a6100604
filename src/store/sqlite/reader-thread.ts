import { type MessagePort, workerData } from "node:worker_threads";
import { serveCalls } from "../thread/serve-calls.ts";
import { openForWriting } from "./open.ts";
import { createQueries } from "./queries.ts";
import { serveWalCheckpoints } from "./remote-wal-checkpoint.ts";
import { checkpointWal } from "./wal-checkpointer.ts";

/* The thread that reads. It also does most of each checkpoint, while the writer's thread commits. */

interface ReaderData {
  readonly file: string;
  /** Connects to the writer's thread. */
  readonly walPort: MessagePort;
}

const { file, walPort } = workerData as ReaderData;

serveCalls(({ now, onFatal }) => {
  // Opened for writing, because checkpoints write.
  const db = openForWriting(file);
  serveWalCheckpoints(walPort, () => {
    checkpointWal(db);
  });
  return {
    methods: {
      ...createQueries(db, { file, now, onFatal }),
      async close() {
        db.close();
      },
    },
  };
});
