import { StoreError } from "../errors.ts";

/** Returns the error for a schema that this program must bring up to date before it can use it. */
export const schemaTooOld = (found: number, needed: number): StoreError =>
  new StoreError(
    `the store has schema version ${found}, but this program needs ${needed}: run \`hexhook migrate\``,
    { code: "SCHEMA_TOO_OLD", fatal: false },
  );

/** Returns the error for a schema of a newer program. */
export const schemaTooNew = (found: number, known: number): StoreError =>
  new StoreError(
    `the store has schema version ${found}, newer than this program's ${known}: install the newer hexhook that wrote it`,
    { code: "SCHEMA_TOO_NEW", fatal: false },
  );
