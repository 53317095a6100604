import type { Source } from "../domain/source.ts";
import type { HexApiConfig } from "../config/hex-api.ts";
import type { GitPlace } from "./git.ts";
import type { ScanProgress } from "./scan.ts";

/** What the audit trail of the store amounts to. */
export interface TrailVerdict {
  readonly intact: boolean;
  /** One line each. */
  readonly faults: readonly string[];
  /** One line each. */
  readonly doubts: readonly string[];
}

/** What the checklist is gone through with. What throws ConfigError fails the checks that need it, and no other. */
export interface DoctorDeps extends GitPlace {
  /** Of the repository's top; keys that somebody has answered for. */
  readonly allowListFile: string;
  readonly hexApi: () => HexApiConfig;
  readonly sources: () => readonly Source[];
  /** The rest of what `serve` needs. */
  readonly wholeConfig: () => void;
  /** Whether a signed message is taken, and a forged one refused. */
  readonly verifies: (source: Source, body: Buffer) => boolean;
  /** Where audit entries go besides the store. */
  readonly auditSinks: () => readonly string[];
  /** Null = there is no store yet. */
  readonly trail: () => Promise<TrailVerdict | null>;
  /** Secrets that are configured, looked for everywhere. */
  readonly configured: () => readonly string[];
  /** Whole paths of the files that secrets are meant to be in. */
  readonly ownFiles: () => readonly string[];
  readonly now: () => number;
  readonly progress: ScanProgress;
}
