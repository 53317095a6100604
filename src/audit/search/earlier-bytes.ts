import type { AuditReader } from "../../store/port.ts";
import type { StoredEntry } from "../stored-entry.ts";
import { ByteBudget } from "../byte-budget.ts";
import { timeOfLine } from "../entry.ts";
import { newestFirst } from "./newest-first.ts";

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
  const entries: StoredEntry[] = [];
  const search = { limit: STEP, containing: UNVERIFIED };
  let from: number | null = null;
  let steps = 0;
  for await (const { rows, next } of newestFirst(store, search)) {
    entries.push(...rows);
    from = next;
    steps += 1;
    if (steps === MAX_STEPS) {
      break;
    }
  }
  const budget =
    from === null
      ? new ByteBudget(bytesPerDay, 0)
      : new ByteBudget(bytesPerDay, await timeAt(store, from), 0);
  for (const { line } of entries.reverse()) {
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
