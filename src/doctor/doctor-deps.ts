import type { Source } from "../domain/source.ts";
import type { HexApiConfig } from "../config/hex-api.ts";
import type { GitPlace } from "./git.ts";
import type { ScanProgress } from "./scan.ts";

/** The result of verifying the audit trail in the store. */
export interface TrailVerdict {
  readonly intact: boolean;
  /** One line each. */
  readonly faults: readonly string[];
  /** One line each. */
  readonly doubts: readonly string[];
}

/** A database server that has all needed features, and settings with which it keeps what it has acknowledged. */
export interface DatabaseVerdict {
  /** Host, port and database. */
  readonly name: string;
  readonly waitsForStandby: boolean;
  /**
   * The protection of the connection. `local`: it does not leave the machine. `unchecked`: it is encrypted, but to any server.
   */
  readonly protection: "local" | "none" | "unchecked" | "verified";
}

/** The dependencies of the checks. A function that throws ConfigError fails only the checks that call it. */
export interface DoctorDeps extends GitPlace {
  /** Path of the allow-list, relative to the top of the repository. */
  readonly allowListFile: string;
  readonly hexApi: () => HexApiConfig;
  readonly sources: () => readonly Source[];
  /** Validates the whole configuration of `serve`. */
  readonly wholeConfig: () => void;
  /** Whether a signed message is accepted and a forged one rejected. */
  readonly verifies: (source: Source) => boolean;
  /** Returns the names of the audit sinks. */
  readonly auditSinks: () => readonly string[];
  /** Checks the database server; null = the store has none. Rejects with StoreError if the server cannot be used. */
  readonly database: () => Promise<DatabaseVerdict | null>;
  /** Verifies the trail; null = there is no store yet. */
  readonly trail: () => Promise<TrailVerdict | null>;
  /** Returns the configured secrets, which must not be found in any scanned file. */
  readonly configured: () => readonly string[];
  /** Returns absolute paths of the files that may contain secrets. */
  readonly ownFiles: () => readonly string[];
  readonly now: () => number;
  readonly progress: ScanProgress;
}
