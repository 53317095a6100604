import { openFile } from "./store-file.ts";

export interface StoredEvent {
  readonly id: string;
  readonly body: Buffer;
}

/** Returns the events in a store's file in order, read over a separate connection. */
export function storedEvents(file: string): StoredEvent[] {
  const db = openFile(file, { readOnly: true });
  try {
    return db
      .prepare<[], { id: string; body: Uint8Array }>(
        "SELECT id, body FROM event ORDER BY seq",
      )
      .all()
      .map(({ id, body }) => ({ id, body: Buffer.from(body) }));
  } finally {
    db.close();
  }
}
