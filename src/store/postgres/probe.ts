import { StoreError } from "../../errors.ts";
import type { Lane } from "./lane.ts";
import type { LaneSession } from "./lane-session.ts";

// The fence is not compared. It changes when a connection was lost, and the transaction checks it at its end.
const TOUCH = {
  name: "touch-writer",
  text: "UPDATE audit_writer SET seen_at = $3 WHERE writer = $1 AND hash = $2",
};

const LAST_LINES = {
  // Without a name, so that the planner sees the day and skips the other partitions.
  name: "",
  text: "SELECT line FROM audit_entry WHERE writer = $1 AND position >= $2 AND day >= $3 ORDER BY position",
};

/**
 * Creates the probe of the store. It writes, so that it fails if writes fail. It rejects if the trail in the database does
 * not end with the last entry of this process, or did not at an earlier transaction.
 */
export function createProbe(deps: {
  lane: Pick<Lane, "run">;
  session: Pick<LaneSession, "committed" | "isTampered" | "tampered">;
  now: () => number;
}): () => Promise<void> {
  const { lane, session, now } = deps;
  return async () => {
    await lane.run(async (tx) => {
      const { head, position, day } = session.committed();
      const values = [head.writer, head.hash, now()];
      const isTouched = (await tx.execute(TOUCH, values)) === 1;
      const lines =
        head.seq === 0
          ? []
          : await tx.query<{ line: string }>(LAST_LINES, [
              head.writer,
              position,
              day,
            ]);
      const isLast =
        head.seq === 0 || lines.at(-1)?.line.endsWith(`"${head.hash}"}`);
      if (!isTouched || isLast !== true) {
        session.tampered();
      }
    });
    if (session.isTampered()) {
      throw new StoreError("the audit trail was changed from outside", {
        code: "AUDIT_CHANGED",
        fatal: false,
      });
    }
  };
}
