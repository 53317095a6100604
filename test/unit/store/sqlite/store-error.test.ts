import { describe, expect, it } from "@jest/globals";
import { asStoreError } from "../../../../src/store/sqlite/store-error.ts";

describe("an error of SQLite", () => {
  it.each([
    ["SQLITE_IOERR_FSYNC", true],
    ["SQLITE_IOERR_WRITE", false],
    ["SQLITE_CORRUPT", true],
    ["SQLITE_NOTADB", true],
    ["SQLITE_FULL", false],
    ["SQLITE_BUSY", false],
    ["SQLITE_IOERR_SHMSIZE", false],
    ["SQLITE_READONLY", false],
  ])("with the code %s is fatal: %s", (code, fatal) => {
    expect(asStoreError(Object.assign(new Error("x"), { code }))).toMatchObject(
      { code, fatal },
    );
  });
});
