import { statfsSync } from "node:fs";
import path from "node:path";
import type { StoreBytes } from "../records.ts";
import { companionFile } from "./companion-file.ts";
import { statOf } from "./file-id.ts";

/** Returns the sizes of a store's files, and the free space beside them. Throws system errors. */
export function storeBytes(file: string): StoreBytes {
  const { bavail, bsize } = statfsSync(path.dirname(path.resolve(file)));
  const sizeOf = (name: string): number => Number(statOf(name)?.size ?? 0);
  return {
    database: sizeOf(file),
    log: sizeOf(companionFile(file, "-wal")),
    free: bavail * bsize,
  };
}
