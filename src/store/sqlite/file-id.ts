import { type BigIntStats, statSync } from "node:fs";

/** Identifies an existing file independently of its name. */
export interface FileId {
  readonly device: bigint;
  readonly inode: bigint;
}

export function idOf({ dev, ino }: BigIntStats): FileId {
  return { device: dev, inode: ino };
}

/** Returns the stats of the file at a path; null = there is none, or this user may not access it. */
export function statOf(path: string): BigIntStats | null {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return null;
  }
}

/** Whether the stats belong to this file. */
export function isSameFile(stats: BigIntStats | null, id: FileId): boolean {
  return stats !== null && stats.dev === id.device && stats.ino === id.inode;
}
