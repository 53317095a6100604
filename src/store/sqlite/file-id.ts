import { type BigIntStats, statSync } from "node:fs";

/** Tells a file from every other one that exists, whatever its name. */
export interface FileId {
  readonly device: bigint;
  readonly inode: bigint;
}

export function idOf({ dev, ino }: BigIntStats): FileId {
  return { device: dev, inode: ino };
}

/** What a path leads to now; null when it leads nowhere, or this user may not follow it. */
export function statOf(path: string): BigIntStats | null {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return null;
  }
}

/** Whether a path leads to that file. */
export function isSameFile(stats: BigIntStats | null, id: FileId): boolean {
  return stats !== null && stats.dev === id.device && stats.ino === id.inode;
}
