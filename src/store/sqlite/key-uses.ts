import { CLOCK_MARGIN_MS } from "../clock-margin.ts";
import { KEY_USE_KEEP_MS } from "../limits.ts";
import type { KeyUse } from "../records.ts";
import type { Database } from "./driver.ts";

/** Keeps when each key was last used. Writes run inside the caller's transaction. */
export function createKeyUseTable(db: Database) {
  const all = db.prepare<[], KeyUse>(
    "SELECT source, key_id AS keyId, used_at AS at FROM key_use ORDER BY source, key_id",
  );
  // A time in the future was saved by a clock that was ahead.
  const save = db.prepare<[string, string, number, number]>(
    `INSERT INTO key_use (source, key_id, used_at) VALUES (?, ?, ?)
     ON CONFLICT (source, key_id) DO UPDATE SET used_at = excluded.used_at
     WHERE used_at < excluded.used_at OR used_at > ?`,
  );
  const forget = db.prepare<[number]>("DELETE FROM key_use WHERE used_at < ?");
  return {
    all: (): KeyUse[] => all.all(),
    save(uses: readonly KeyUse[], now: number): void {
      for (const { source, keyId, at } of uses) {
        save.run(source, keyId, at, now + CLOCK_MARGIN_MS);
      }
      forget.run(now - KEY_USE_KEEP_MS);
    },
  };
}
