/** The checks of the security checklist, in order, with their titles. */
export const CHECKS = {
  keys_in_environment: "API keys in the environment",
  env_files_ignored: ".env files ignored by git",
  environments_apart: "Separate keys for development, staging and production",
  scopes_minimal: "Minimal scopes",
  signatures_validated: "Signature validation",
  database: "Database server",
  audit_logging: "Audit logging enabled and intact",
  key_age: "Key age",
  exposed_keys: "Exposed keys in the working tree and git history",
} as const;

export type CheckName = keyof typeof CHECKS;

/** A place where a key is exposed. Never contains the key. */
export interface Finding {
  /** Relative to the top of the repository, or `commit message`. */
  readonly path: string;
  readonly line: number;
  readonly where: "tree" | "index" | "history";
  /** The commit that added the key. Null outside the history, and for file versions after the first 30 objects with keys. */
  readonly commit: string | null;
  /** The name of the rule that matched. */
  readonly rule: string;
  /** Identifies the key: 16 hex digits. The first 8 are its key id. */
  readonly fingerprint: string;
}

export interface CheckResult {
  readonly check: CheckName;
  /** `skip` = there is nothing to check. A warning does not change the exit code. */
  readonly status: "pass" | "warn" | "fail" | "skip";
  /** One line for each result. */
  readonly details: readonly string[];
  /** What the user should do; empty if there is nothing to do. */
  readonly hint: string;
  /** Only for `exposed_keys`. */
  readonly findings?: readonly Finding[];
}
