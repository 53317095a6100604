import type { AuditReader } from "../../store/port.ts";
import type { StoredEntry } from "../stored-entry.ts";
import { ByteBudget } from "../byte-budget.ts";
import { timeOfLine } from "../entry.ts";

/** The text that every entry of an unverified request contains. */
const UNVERIFIED = ['"userId":"anonymous"'];

/** The search reads the newest 20,000 entries, in steps of a few milliseconds. */
const MAX_STEPS = 10;
const STEP = 2000;

/**
 * Returns the bytes that a budget has left after the entries of earlier runs and other processes, so that a restart does not
 * refill the budget. It reads only the newest entries and assumes an empty budget before them, so the result is never too
 * high. `now`: unix milliseconds.
 */
export async function bytesLeft(
  store: Pick<AuditReader, "readAudit" | "searchAudit">,
  bytesPerDay: number,
  now: number,
): Promise<number> {
  const newestFirst: StoredEntry[] = [];
  let from: number | null = null;
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const found: Awaited<ReturnType<AuditReader["searchAudit"]>> =
      await store.searchAudit({
        order: "newest",
        from,
        limit: STEP,
        containing: UNVERIFIED,
      });
    newestFirst.push(...found.rows);
    from = found.next;
    if (from === null) {
      break;
    }
  }
  const budget =
    from === null
      ? new ByteBudget(bytesPerDay, 0)
      : new ByteBudget(bytesPerDay, await timeAt(store, from), 0);
  for (const { line } of newestFirst.reverse()) {
    budget.charge(line.length, timeOfLine(line));
  }
  return budget.left(now);
}

async function timeAt(
  store: Pick<AuditReader, "readAudit">,
  position: number,
): Promise<number> {
  const [row] = await store.readAudit(position - 1, 1);
  return timeOfLine(row?.line ?? "");
}
