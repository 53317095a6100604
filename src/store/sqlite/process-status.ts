import { STATUS_KEEP_MS } from "../limits.ts";
import { parsePublished } from "../published-state.ts";
import type { ProcessStatus, PublishedState } from "../records.ts";
import type { Database } from "./driver.ts";

interface Row {
  readonly writer: string;
  readonly published_at: number;
  readonly destinations: string;
  readonly service: string | null;
}

/** Keeps the state that each process run publishes about itself. */
export function createProcessStatusTable(db: Database) {
  const all = db.prepare<[], Row>(
    "SELECT writer, published_at, destinations, service FROM process_status ORDER BY published_at DESC",
  );
  const publish = db.prepare<[string, number, string, string]>(
    `INSERT INTO process_status (writer, published_at, destinations, service) VALUES (?, ?, ?, ?)
     ON CONFLICT (writer) DO UPDATE SET
       published_at = excluded.published_at, destinations = excluded.destinations, service = excluded.service`,
  );
  const drop = db.prepare<[number]>(
    "DELETE FROM process_status WHERE published_at < ?",
  );
  return {
    all: (): ProcessStatus[] =>
      all.all().map(({ writer, published_at, ...state }) => ({
        writer,
        publishedAt: published_at,
        ...parsePublished(state),
      })),
    publish(
      writer: string,
      { destinations, service }: PublishedState,
      now: number,
    ): void {
      publish.run(
        writer,
        now,
        JSON.stringify(destinations),
        JSON.stringify(service),
      );
      drop.run(now - STATUS_KEEP_MS);
    },
  };
}
