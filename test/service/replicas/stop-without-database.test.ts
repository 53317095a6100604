import { describe, expect, it } from "@jest/globals";
import { startOwnServer } from "../../support/postgres.ts";
import { serve } from "../../support/processes.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { sharedSigningKey } from "../../support/replicas.ts";

/** The default of SHUTDOWN_SECONDS without draining, and as much again for a busy machine. */
const LIMIT_MS = 12_000;

describe("SIGTERM while PostgreSQL", () => {
  it.each(["pause", "kill"] as const)(
    "cannot answer (%s) ends the process within SHUTDOWN_SECONDS",
    async (fault) => {
      const database = await startOwnServer();
      const folder = temporaryFolder().path;
      const service = await serve(folder, {
        DATABASE_URL: database.url(),
        AUDIT_SIGNING_KEY_FILE: sharedSigningKey(folder),
      });
      await database[fault]();
      const start = performance.now();
      const { code } = await service.stop();
      const ms = performance.now() - start;
      if (fault === "pause") {
        database.resume();
      }
      // The last entry could not be written.
      expect(code).toBe(70);
      expect(service.stderr()).toContain("stop failed");
      expect(ms).toBeLessThan(LIMIT_MS);
    },
  );
});
