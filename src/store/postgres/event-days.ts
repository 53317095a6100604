import type { EventScan } from "../records.ts";
import { listReportedDays } from "./expired-days.ts";
import { listDays } from "./partition-list.ts";
import type { Sql } from "./sql.ts";

/** The day of the events that were still pending when their day was dropped. */
export const KEPT_DAY = -1;

/** How many events are remembered: the places where scans resume. */
const MAX_KNOWN = 1000;

const DAY_OF = {
  name: "day-of-event",
  text: "SELECT day FROM event WHERE seq = $1",
};

/** The day of the nearest event. The numbers of kept events say nothing about the days. */
const NEAREST = {
  newest: {
    name: "day-of-earlier-event",
    text: "SELECT day FROM event WHERE seq < $1 AND day >= 0 ORDER BY seq DESC LIMIT 1",
  },
  oldest: {
    name: "day-of-later-event",
    text: "SELECT day FROM event WHERE seq > $1 AND day >= 0 ORDER BY seq LIMIT 1",
  },
};

/**
 * The days of events. A scan reads one day after another, so that each step needs only a few partitions. The oldest events
 * are the kept ones.
 */
export interface EventDays {
  /**
   * Returns the days that a scan still has to read, in its order, without those that are being deleted. `from`: the event
   * with which the scan resumes; null = from the beginning.
   */
  readonly rest: (
    order: EventScan["order"],
    from: number | null,
  ) => Promise<readonly number[]>;
  /** Remembers the day of an event with which a scan will resume. */
  readonly remember: (seq: number, day: number) => void;
}

export function createEventDays(sql: Sql): EventDays {
  const known = new Map<number, number>();

  async function dayOf(
    order: EventScan["order"],
    seq: number,
  ): Promise<number | undefined> {
    const day = known.get(seq);
    if (day !== undefined) {
      return day;
    }
    const [row] = await sql.query<{ day: number }>(DAY_OF, [seq]);
    if (row !== undefined) {
      return row.day;
    }
    const [nearest] = await sql.query<{ day: number }>(NEAREST[order], [seq]);
    return nearest?.day;
  }

  return {
    async rest(order, from) {
      const expired = new Set(await listReportedDays(sql));
      const stored = (await listDays(sql, "event")).filter(
        (day) => !expired.has(day),
      );
      const days = [KEPT_DAY, ...stored];
      if (order === "newest") {
        days.reverse();
      }
      if (from === null) {
        return days;
      }
      const first = await dayOf(order, from);
      return days.filter(
        (day) =>
          first !== undefined &&
          (order === "newest" ? day <= first : day >= first),
      );
    },
    remember(seq, day) {
      known.delete(seq);
      known.set(seq, day);
      if (known.size > MAX_KNOWN) {
        known.delete([...known.keys()][0] ?? 0);
      }
    },
  };
}
