/** The checks of the security checklist, in their order, each with what it is about. */
export const CHECKS = {
  keys_in_environment: "API keys in the environment",
  env_files_ignored: ".env files ignored by git",
  environments_apart: "Keys of development, staging and production apart",
  scopes_minimal: "Scopes minimal",
  signatures_validated: "Signatures validated",
  audit_logging: "Audit logging on and intact",
  key_age: "Key age",
  exposed_keys: "Exposed keys in the working tree and git history",
} as const;

export type CheckName = keyof typeof CHECKS;

/** A place where a key stands open. Never the key. */
export interface Finding {
  /** From the top of the repository, or `commit message`. */
  readonly path: string;
  readonly line: number;
  readonly where: "tree" | "index" | "history";
  /** The commit that brought it; null outside the history, and for what lies beyond the first thirty. */
  readonly commit: string | null;
  /** What found it. */
  readonly rule: string;
  /** Names the key: 16 hex digits, of which the first 8 are its key id. */
  readonly fingerprint: string;
}

export interface CheckResult {
  readonly check: CheckName;
  /** `skip`: there is nothing to check. A warning fails nothing. */
  readonly status: "pass" | "warn" | "fail" | "skip";
  /** One line for each thing that was found. */
  readonly details: readonly string[];
  /** What to do about it; empty when there is nothing to do. */
  readonly hint: string;
  /** Of `exposed_keys` alone. */
  readonly findings?: readonly Finding[];
}
