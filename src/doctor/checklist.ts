import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { type HexApiConfig } from "../config/hex-api.ts";
import { judgeKeyAge } from "../core/key-age.ts";
import { type Source } from "../core/model.ts";
import { scopeFaults } from "../core/scopes.ts";
import { ConfigError, errorCode } from "../errors.ts";
import { type AllowList, allowanceOf, parseAllowList } from "./allow-list.ts";
import { type CheckName, type CheckResult } from "./check-result.ts";
import {
  distinctiveValues,
  isEnvFile,
  misplacedKeys,
  readEnvSecrets,
  sharedSecrets,
} from "./env-files.ts";
import { findExposedKeys, type ScanProgress } from "./exposed-keys.ts";
import { type Git, openGit } from "./git.ts";

/** What the audit trail of the store amounts to. */
export interface TrailVerdict {
  readonly intact: boolean;
  /** One line each. */
  readonly faults: readonly string[];
  /** One line each. */
  readonly doubts: readonly string[];
}

/** What the checklist is gone through with. What throws ConfigError fails the checks that need it, and no other. */
export interface DoctorDeps {
  readonly folder: string;
  /** Of the repository's top; keys that somebody has answered for. */
  readonly allowListFile: string;
  readonly hexApi: () => HexApiConfig;
  readonly source: () => Source;
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
  readonly now: () => number;
  readonly progress: ScanProgress;
}

/** Goes through the security checklist. Nothing that it gives holds a key. */
export async function runChecklist(deps: DoctorDeps): Promise<CheckResult[]> {
  const git = await settled(openGit(deps.folder));
  return [
    await keysInEnvironment(deps),
    await envFilesIgnored(git),
    await environmentsApart(deps),
    await scopesMinimal(deps),
    await signaturesValidated(deps),
    await auditLogging(deps),
    await keyAge(deps),
    await exposedKeys(deps, git),
  ];
}

type Settled<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: string };

async function settled<T>(promise: Promise<T>): Promise<Settled<T>> {
  try {
    return { ok: true, value: await promise };
  } catch (thrown) {
    const why =
      errorCode(thrown) === "ENOENT"
        ? "git is not installed"
        : thrown instanceof Error
          ? thrown.message
          : "git failed";
    return { ok: false, why };
  }
}

/** The result of a check that fails with the faults of the configuration when it needs what is wrong there. */
async function guarded(
  check: CheckName,
  hint: string,
  judge: () => Promise<CheckResult> | CheckResult,
): Promise<CheckResult> {
  try {
    return await judge();
  } catch (thrown) {
    if (thrown instanceof ConfigError) {
      return { check, status: "fail", details: thrown.faults, hint };
    }
    throw thrown;
  }
}

function keysInEnvironment({ hexApi }: DoctorDeps): Promise<CheckResult> {
  const check = "keys_in_environment";
  const hint =
    "give each key in its variable or in a file that NAME_FILE names; .env.example lists them";
  return guarded(check, hint, () => {
    const { keys, readKey, writeKey } = hexApi();
    const details = keys.map(({ variable, keyId }) => `${variable} ${keyId}`);
    if (keys.length === 0) {
      return {
        check,
        status: "pass",
        details: ["no key of the Hex API is configured"],
        hint: "",
      };
    }
    const shared = readKey?.value === writeKey?.value;
    return {
      check,
      status: shared ? "warn" : "pass",
      details,
      hint: shared
        ? "a reader has no need to write: set HEX_READ_KEY and HEX_WRITE_KEY, a key each"
        : "",
    };
  });
}

async function envFilesIgnored(git: Settled<Git | null>): Promise<CheckResult> {
  const check = "env_files_ignored";
  if (!git.ok) {
    const hint = "let this user read the repository with git";
    return { check, status: "fail", details: [git.why], hint };
  }
  if (git.value === null) {
    const details = ["this is no git repository"];
    return { check, status: "skip", details, hint: "" };
  }
  const { list, output } = git.value;
  const tracked = (await list("ls-files", "-z", "--cached")).filter(isEnvFile);
  const open = (
    await list("ls-files", "-z", "--others", "--exclude-standard")
  ).filter(isEnvFile);
  const details = [
    ...tracked.map((file) => `${file} is tracked by git`),
    ...open.map((file) => `${file} is not ignored by git`),
  ];
  if (details.length > 0) {
    return {
      check,
      status: "fail",
      details,
      hint: "add `.env*` and `!.env.example` to .gitignore; `git rm --cached` what is tracked, and rotate what was in it",
    };
  }
  const ignored = await output("check-ignore", "-q", "--no-index", ".env").then(
    () => true,
    () => false,
  );
  return ignored
    ? { check, status: "pass", details: [], hint: "" }
    : {
        check,
        status: "warn",
        details: ["there is no .env file, and nothing would ignore one"],
        hint: "add `.env*` and `!.env.example` to .gitignore",
      };
}

async function environmentsApart({ folder }: DoctorDeps): Promise<CheckResult> {
  const check = "environments_apart";
  const secrets = await readEnvSecrets(folder);
  const details = [...sharedSecrets(secrets), ...misplacedKeys(secrets)];
  const environments = new Set(
    secrets.flatMap(({ environment }) => environment ?? []),
  );
  if (details.length > 0) {
    return {
      check,
      status: "fail",
      details,
      hint: "make a key and a secret of its own for each environment; what was shared is to be rotated",
    };
  }
  return environments.size < 2
    ? {
        check,
        status: "skip",
        details: ["there are no two .env.* files with secrets to compare"],
        hint: "",
      }
    : { check, status: "pass", details: [...environments], hint: "" };
}

function scopesMinimal({ hexApi }: DoctorDeps): Promise<CheckResult> {
  const check = "scopes_minimal";
  const hint =
    "list in HEX_SCOPES what the keys may do, and take from them in the Hex dashboard what is not needed (`hexhook audit scopes` tells)";
  return guarded(check, hint, () => {
    const config = hexApi();
    const faults = scopeFaults(config);
    return faults.length > 0
      ? { check, status: "fail", details: faults, hint }
      : {
          check,
          status: "pass",
          details: [
            `${config.environment}: ${(config.granted ?? []).join(", ")}`,
          ],
          hint: "",
        };
  });
}

function signaturesValidated(deps: DoctorDeps): Promise<CheckResult> {
  const check = "signatures_validated";
  const hint =
    "set HEX_SECRET (`hexhook secrets generate` makes one), and correct what else is named";
  return guarded(check, hint, () => {
    const source = deps.source();
    deps.wholeConfig();
    return deps.verifies(source, randomBytes(64))
      ? {
          check,
          status: "pass",
          details: [
            `source ${source.name}, scheme ${source.scheme}: a signed message is taken, a forged one refused`,
          ],
          hint: "",
        }
      : {
          check,
          status: "fail",
          details: [
            `source ${source.name}, scheme ${source.scheme}: a forged message is taken, or a signed one refused`,
          ],
          hint: "do not use this build; tell its makers",
        };
  });
}

function auditLogging({ auditSinks, trail }: DoctorDeps): Promise<CheckResult> {
  const check = "audit_logging";
  const hint =
    "unset AUDIT_STDOUT, or set AUDIT_FILE, so that the trail leaves the store";
  return guarded(check, hint, async () => {
    const sinks = auditSinks();
    const verdict = await trail();
    const off =
      sinks.length === 0
        ? ["AUDIT_STDOUT is off, and there is neither AUDIT_FILE nor analytics"]
        : [];
    const broken = verdict?.faults ?? [];
    if (off.length + broken.length > 0) {
      return {
        check,
        status: "fail",
        details: [...off, ...broken],
        hint:
          broken.length > 0
            ? "the trail was tampered with, or its store damaged: keep a copy, and compare it with the sinks (`hexhook audit verify`)"
            : hint,
      };
    }
    const details = [`goes to ${sinks.join(", ")}`];
    if (verdict === null) {
      details.push("there is no store yet to be verified");
      return { check, status: "pass", details, hint: "" };
    }
    return verdict.intact
      ? {
          check,
          status: "pass",
          details: [...details, "the trail in the store is intact"],
          hint: "",
        }
      : {
          check,
          status: "warn",
          details: [...details, ...verdict.doubts],
          hint: "`hexhook audit verify` says more",
        };
  });
}

function keyAge({ source, now }: DoctorDeps): Promise<CheckResult> {
  const check = "key_age";
  const rotate =
    "make a new one (`hexhook secrets generate`), keep the old one as HEX_SECRET_PREVIOUS until senders have changed, and set HEX_SECRET_CREATED_AT";
  return guarded(check, rotate, () => {
    const [current] = source().secrets;
    const { days, verdict } = judgeKeyAge(current?.createdAt ?? null, now());
    const name = current?.name ?? "HEX_SECRET";
    switch (verdict) {
      case "unknown":
        return {
          check,
          status: "fail",
          details: [
            `${name}: nobody has said when it was made, or a day to come`,
          ],
          hint: "set HEX_SECRET_CREATED_AT, or createdAt in the file",
        };
      case "overdue":
        return {
          check,
          status: "fail",
          details: [`${name}: ${days ?? 0} days old`],
          hint: rotate,
        };
      case "due":
        return {
          check,
          status: "warn",
          details: [`${name}: ${days ?? 0} days old; overdue from 90`],
          hint: rotate,
        };
      case "fresh":
        return {
          check,
          status: "pass",
          details: [`${name}: ${days ?? 0} days old`],
          hint: "",
        };
    }
  });
}

async function exposedKeys(
  deps: DoctorDeps,
  git: Settled<Git | null>,
): Promise<CheckResult> {
  const check = "exposed_keys";
  if (!git.ok) {
    const hint = "let this user read the repository with git";
    return { check, status: "fail", details: [git.why], hint };
  }
  const { folder, configured, now, progress, allowListFile } = deps;
  const top = git.value?.top ?? folder;
  const allowed = await readAllowList(path.resolve(top, allowListFile));
  const inFiles = (await readEnvSecrets(top)).map(({ value }) => value);
  const known = distinctiveValues([...configured(), ...inFiles]);
  const result = await findExposedKeys(folder, git.value, known, progress);
  const judged = result.findings.map((finding) => ({
    finding,
    allowance: allowanceOf(allowed, finding.fingerprint, now()),
  }));
  const open = judged.filter(({ allowance }) => allowance !== "allowed");
  const findings = open.map(({ finding }) => finding);
  const notes = [
    ...allowed.faults.map((fault) => `${allowListFile} ${fault}`),
    ...(result.passedOver.length > 0
      ? [
          `${result.passedOver.length} files too large or unreadable were not looked into: ${result.passedOver[0] ?? ""}${result.passedOver.length > 1 ? ", ..." : ""}`,
        ]
      : []),
    ...(result.shallow
      ? ["this clone is shallow: `git fetch --unshallow` brings the rest"]
      : []),
    ...(git.value === null
      ? ["this is no git repository: the folder alone was looked into"]
      : []),
  ];
  const kept = judged.length - open.length;
  const summary = `${result.scanned} files, versions and messages looked into${kept > 0 ? `, ${kept} findings allowed` : ""}`;
  if (open.length > 0 || allowed.faults.length > 0) {
    return {
      check,
      status: "fail",
      details: [...notes, summary],
      findings,
      hint: `revoke each and make a new one: what was in git once is known. Then allow what is left in ${allowListFile}: FINGERPRINT YYYY-MM-DD why`,
    };
  }
  return {
    check,
    status: notes.length > 0 ? "warn" : "pass",
    details: [...notes, summary],
    findings,
    hint: "",
  };
}

async function readAllowList(file: string): Promise<AllowList> {
  try {
    return parseAllowList(await readFile(file, "utf8"));
  } catch (thrown) {
    const code = errorCode(thrown) ?? "unknown";
    return code === "ENOENT"
      ? { allowances: [], faults: [] }
      : { allowances: [], faults: [`cannot be read (${code})`] };
  }
}
