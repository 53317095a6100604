import type {
  ProcessStatus,
  PublishedDestination,
  PublishedState,
} from "../records.ts";
import { STATUS_KEEP_MS } from "../limits.ts";
import type { Database } from "./driver.ts";

interface Row {
  readonly writer: string;
  readonly published_at: number;
  readonly destinations: string;
}

/** Keeps the status that each process run publishes about its destinations. */
export function createProcessStatusTable(db: Database) {
  const all = db.prepare<[], Row>(
    "SELECT writer, published_at, destinations FROM process_status ORDER BY published_at DESC",
  );
  const publish = db.prepare<[string, number, string]>(
    `INSERT INTO process_status (writer, published_at, destinations) VALUES (?, ?, ?)
     ON CONFLICT (writer) DO UPDATE SET
       published_at = excluded.published_at, destinations = excluded.destinations`,
  );
  const drop = db.prepare<[number]>(
    "DELETE FROM process_status WHERE published_at < ?",
  );
  return {
    all: (): ProcessStatus[] =>
      all.all().map(({ writer, published_at, destinations }) => ({
        writer,
        publishedAt: published_at,
        destinations: JSON.parse(destinations) as PublishedDestination[],
        service: null,
      })),
    publish(
      writer: string,
      { destinations }: PublishedState,
      now: number,
    ): void {
      publish.run(writer, now, JSON.stringify(destinations));
      drop.run(now - STATUS_KEEP_MS);
    },
  };
}
