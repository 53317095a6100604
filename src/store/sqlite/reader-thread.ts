import { type MessagePort, workerData } from "node:worker_threads";
import { serveCalls } from "../thread/serve-calls.ts";
import { openForWriting } from "./open.ts";
import { createQueries } from "./queries.ts";
import { serveWalCheckpoints } from "./remote-wal-checkpoint.ts";
import { checkpointWal } from "./wal-checkpointer.ts";

/* The thread that reads, and does most of each checkpoint, beside the one that writes. */

interface ReaderData {
  readonly file: string;
  /** Leads to the writer's thread. */
  readonly walPort: MessagePort;
}

const { file, walPort } = workerData as ReaderData;

serveCalls(({ now, onFatal }) => {
  // For writing, because checkpoints write.
  const db = openForWriting(file);
  serveWalCheckpoints(walPort, () => {
    checkpointWal(db);
  });
  return {
    methods: {
      ...createQueries(db, now, onFatal),
      async close() {
        db.close();
      },
    },
  };
});
