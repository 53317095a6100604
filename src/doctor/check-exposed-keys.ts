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
    const hint = "let this user read the repository with git";
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
      hint: "the history cannot be read whole here: mend the repository, or fetch all of it",
    };
  }
  const judged = result.findings.map((finding) => ({
    finding,
    allowance: allowanceOf(allowed, finding.fingerprint, now()),
  }));
  const open = judged.filter(({ allowance }) => allowance !== "allowed");
  const findings = open.map(({ finding }) => finding);
  const notes = [
    ...allowed.errors.map((error) => `${allowListFile} ${error}`),
    ...(result.passedOver.length > 0
      ? [
          `${result.passedOver.length} files too large or unreadable were not looked into: ${result.passedOver[0] ?? ""}${result.passedOver.length > 1 ? ", ..." : ""}`,
        ]
      : []),
    ...(result.repositories.length > 0
      ? [
          `repositories within this one were not looked into: ${result.repositories.join(", ")}`,
        ]
      : []),
    ...(result.shallow
      ? ["this clone is shallow: `git fetch --unshallow` brings the rest"]
      : []),
    ...(git === null
      ? ["this is no git repository: the folder alone was looked into"]
      : []),
  ];
  const kept = judged.length - open.length;
  const summary = `${result.scanned} files, versions and messages looked into${kept > 0 ? `, ${kept} findings allowed` : ""}`;
  if (open.length > 0 || allowed.errors.length > 0) {
    return {
      check,
      status: "fail",
      details: [...notes, summary],
      findings,
      hint:
        open.length > 0
          ? `revoke each and make a new one: ${git === null ? "who has the folder has it" : "what was in git once is known"}. Then allow what is left in ${allowListFile}: FINGERPRINT YYYY-MM-DD why`
          : `correct ${allowListFile}: FINGERPRINT YYYY-MM-DD why`,
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
