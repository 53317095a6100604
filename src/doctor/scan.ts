import type { Finding } from "./check-result.ts";
import type { ScannedKey } from "./key-scanner.ts";

/** Maximum size of a scanned file. */
export const MAX_SCANNED_BYTES = 16_777_216;

/** Reports progress: `total` once with the number of files and objects, `done` after each of them. */
export interface ScanProgress {
  readonly total: (count: number) => void;
  readonly done: () => void;
}

/** Finds keys in the bytes of a file. */
export type Scan = (bytes: Buffer, name: string) => Promise<ScannedKey[]>;

/** The result of scanning some files or objects. */
export interface Scanned {
  readonly findings: readonly Finding[];
  /** Files that were too large or not readable. */
  readonly skipped: readonly string[];
}
