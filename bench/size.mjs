// Measures the size of an event: in the store, in the audit trail, and in bytes written to disk (log and checkpoints).
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const SETTLE_MS = 500;

const bytesOf = (file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

const writtenBy = (pid) =>
  Number(
    /^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))[1],
  );

export const size = {
  title: "bytes for each event of 1 KiB",
  quick: true,
  async run({ withServer, measure, stores, folder, record }) {
    const trail = path.join(folder, "trail.ndjson");
    let server;
    let written;
    await withServer(
      "hexhook",
      { env: { AUDIT_FILE: trail } },
      async (opened) => {
        server = opened;
        const before = writtenBy(server.pids[0]);
        await measure.load(server);
        let size = -1;
        while (bytesOf(trail) > size) {
          size = bytesOf(trail);
          await sleep(SETTLE_MS);
        }
        written = writtenBy(server.pids[0]) - before;
      },
    );
    const events = stores.countEvents(server.database);
    record("size", "Hexhook", {
      diskBytes:
        (bytesOf(server.database) + bytesOf(`${server.database}-wal`)) / events,
      trailBytes: bytesOf(trail) / events,
      writtenBytes: written / events,
    });
  },
};
