import { listDays } from "./partition-list.ts";
import type { Sql } from "./sql.ts";

/** How many positions are remembered: the places of the readers of this process. */
const MAX_KNOWN = 100;

const LAST_OF_DAY = {
  name: "",
  text: "SELECT max(position) AS last FROM audit_entry WHERE day = $1",
};

/**
 * Estimates the day of the entries after a position, so that a read needs only a few partitions. Days increase with positions
 * as far as the clocks of all processes are right, so the reader must notice when an entry is missing.
 */
export interface TrailDays {
  readonly after: (position: number) => Promise<number>;
  /** The newest day with a partition, as far as this process knows. */
  readonly newest: () => number;
  /** Remembers the day of the entry at a position. */
  readonly remember: (position: number, day: number) => void;
}

export function createTrailDays(sql: Sql): TrailDays {
  const known = new Map<number, number>();
  let newest = 0;

  function remember(position: number, day: number): void {
    known.delete(position);
    known.set(position, day);
    if (known.size > MAX_KNOWN) {
      known.delete([...known.keys()][0] ?? 0);
    }
  }

  /** Finds the first day whose last position is after this one. A day without entries counts as later. */
  async function search(position: number): Promise<number> {
    const days = await listDays(sql, "audit_entry");
    newest = days.at(-1) ?? 0;
    let low = 0;
    let high = days.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [row] = await sql.query<{ last: number | null }>(LAST_OF_DAY, [
        days[middle],
      ]);
      if ((row?.last ?? Infinity) > position) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return days[low] ?? days.at(-1) ?? 0;
  }

  return {
    async after(position) {
      const day = known.get(position) ?? (await search(position));
      remember(position, day);
      return day;
    },
    newest: () => newest,
    remember,
  };
}
