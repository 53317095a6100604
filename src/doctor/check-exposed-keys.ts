import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { errorCode } from "../errors.ts";
import { type AllowList, allowanceOf, parseAllowList } from "./allow-list.ts";
import type { CheckResult } from "./check-result.ts";
import type { DoctorDeps } from "./doctor-deps.ts";
import { distinctiveValues, readEnvFiles } from "./env-files.ts";
import { findExposedKeys, type ScanResult } from "./exposed-keys.ts";
import { GitError } from "./git.ts";
import type { GitState } from "./git-state.ts";

export async function exposedKeys(
  deps: DoctorDeps,
  state: GitState,
): Promise<CheckResult> {
  const check = "exposed_keys";
  if (!state.ok) {
    const hint = "allow this user to read the repository with git";
    return { check, status: "fail", details: [state.why], hint };
  }
  const { git } = state;
  const { folder, configured, now, progress, allowListFile } = deps;
  const top = git?.top ?? folder;
  const allowed = await readAllowList(path.resolve(top, allowListFile));
  const inFiles = (await readEnvFiles(top)).secrets.map(({ value }) => value);
  const known = distinctiveValues([...configured(), ...inFiles]);
  let result: ScanResult;
  try {
    result = await findExposedKeys(
      folder,
      git,
      { known, own: deps.ownFiles() },
      progress,
    );
  } catch (thrown) {
    if (!(thrown instanceof GitError)) {
      throw thrown;
    }
    return {
      check,
      status: "fail",
      details: [thrown.message],
      hint: "git cannot read the whole history; repair the repository, or fetch all of it",
    };
  }
  const judged = result.findings.map((finding) => ({
    finding,
    allowance: allowanceOf(allowed, finding.fingerprint, now()),
  }));
  const reported = judged.filter(({ allowance }) => allowance !== "allowed");
  const findings = reported.map(({ finding }) => finding);
  const notes = [
    ...allowed.errors.map((error) => `${allowListFile} ${error}`),
    ...(result.skipped.length > 0
      ? [
          `${result.skipped.length} files were not scanned, because they are too large or not readable: ${result.skipped[0] ?? ""}${result.skipped.length > 1 ? ", ..." : ""}`,
        ]
      : []),
    ...(result.repositories.length > 0
      ? [
          `nested repositories were not scanned: ${result.repositories.join(", ")}`,
        ]
      : []),
    ...(result.shallow
      ? [
          "the clone is shallow, so a part of the history was not scanned; run `git fetch --unshallow`",
        ]
      : []),
    ...(git === null
      ? ["not in a git repository: only the directory was scanned"]
      : []),
  ];
  const allowedCount = judged.length - reported.length;
  const summary = `${result.scanned} files, file versions and commit messages scanned${allowedCount > 0 ? `, ${allowedCount} findings allowed` : ""}`;
  if (reported.length > 0 || allowed.errors.length > 0) {
    return {
      check,
      status: "fail",
      details: [...notes, summary],
      findings,
      hint:
        reported.length > 0
          ? `revoke each key and make a new one, because anyone with a copy of this ${git === null ? "directory" : "repository"} has it. For keys that you cannot remove, add a line to ${allowListFile}: FINGERPRINT YYYY-MM-DD reason`
          : `correct ${allowListFile}: each line must be FINGERPRINT YYYY-MM-DD reason`,
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
    if (!(await stat(file)).isFile()) {
      return { allowances: [], errors: ["is not a file"] };
    }
    return parseAllowList(await readFile(file, "utf8"));
  } catch (thrown) {
    const code = errorCode(thrown) ?? "unknown";
    return code === "ENOENT"
      ? { allowances: [], errors: [] }
      : { allowances: [], errors: [`cannot be read (${code})`] };
  }
}
