import {
  closeSync,
  openSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { openFile } from "./store-file.ts";

const PAGE = 4096;

/** Overwrites a part of a file in place. */
export function overwrite(
  file: string,
  at: number,
  length: number,
  byte: number,
): void {
  const descriptor = openSync(file, "r+");
  try {
    writeSync(descriptor, Buffer.alloc(length, byte), 0, length, at);
  } finally {
    closeSync(descriptor);
  }
}

/** Overwrites the first page of a table or an index. */
export function overwriteRoot(file: string, name: string): void {
  const db = openFile(file);
  const { rootpage } = db
    .prepare<[string], { rootpage: number }>(
      "SELECT rootpage FROM sqlite_schema WHERE name = ?",
    )
    .get(name)!;
  db.close();
  overwrite(file, (rootpage - 1) * PAGE, PAGE, 0x5a);
}

const sizeOf = (file: string): number => statSync(file).size;

/** Ways to damage the files of a closed store. */
export const DAMAGE: Readonly<Record<string, (file: string) => void>> = {
  "an overwritten header": (file) => {
    overwrite(file, 0, 100, 0x5a);
  },
  "a zeroed first page": (file) => {
    overwrite(file, 0, PAGE, 0);
  },
  "an overwritten schema": (file) => {
    overwrite(file, 100, 900, 0x5a);
  },
  "every page but the first overwritten": (file) => {
    overwrite(file, PAGE, sizeOf(file) - PAGE, 0x5a);
  },
  "every page but the first zeroed": (file) => {
    overwrite(file, PAGE, sizeOf(file) - PAGE, 0);
  },
  "half of it cut off": (file) => {
    truncateSync(file, sizeOf(file) / 2);
  },
  "a page cut in two": (file) => {
    truncateSync(file, 5000);
  },
  "all but 50 bytes cut off": (file) => {
    truncateSync(file, 50);
  },
  "a log without its database": (file) => {
    truncateSync(file);
    writeFileSync(`${file}-wal`, Buffer.alloc(40_000, 0x5a));
  },
  "a lost table": (file) => {
    runSql(file, "DROP TABLE audit_entry");
  },
};

export function runSql(file: string, sql: string): void {
  const db = openFile(file);
  try {
    db.exec(sql);
  } finally {
    db.close();
  }
}
