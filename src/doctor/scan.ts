import type { Finding } from "./check-result.ts";
import type { ScannedKey } from "./key-scanner.ts";

/** Larger files are not looked into. */
export const MAX_SCANNED_BYTES = 16_777_216;

/** Told how many files and objects there are to scan, and of each that is done. */
export interface ScanProgress {
  readonly total: (count: number) => void;
  readonly done: () => void;
}

/** Finds keys in the bytes of a file. */
export type Scan = (bytes: Buffer, name: string) => Promise<ScannedKey[]>;

/** What was found in some files or objects. */
export interface Scanned {
  readonly findings: readonly Finding[];
  /** Those that were too large, or could not be read. */
  readonly passedOver: readonly string[];
}
