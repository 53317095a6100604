import type { CheckResult } from "./check-result.ts";
import type { DoctorDeps } from "./doctor-deps.ts";
import {
  isEnvFile,
  misplacedKeys,
  readEnvFiles,
  sharedSecrets,
} from "./env-files.ts";
import type { GitState } from "./git-state.ts";

export async function envFilesIgnored(state: GitState): Promise<CheckResult> {
  const check = "env_files_ignored";
  if (!state.ok) {
    const hint = "allow this user to read the repository with git";
    return { check, status: "fail", details: [state.why], hint };
  }
  if (state.git === null || state.git.bare) {
    const details = ["not in a git working tree"];
    return { check, status: "skip", details, hint: "" };
  }
  const { list, output } = state.git;
  const envFiles = async (...which: readonly string[]): Promise<string[]> =>
    (await list("ls-files", "-z", ...which)).map(String).filter(isEnvFile);
  const tracked = await envFiles("--cached");
  const notIgnored = await envFiles("--others", "--exclude-standard");
  const details = [
    ...tracked.map((file) => `${file} is tracked by git`),
    ...notIgnored.map((file) => `${file} is not ignored by git`),
  ];
  if (details.length > 0) {
    return {
      check,
      status: "fail",
      details,
      hint: "add `.env*` and `!.env.example` to .gitignore. Remove tracked files with `git rm --cached`, and rotate the secrets in them",
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
        details: ["there is no .env file, but git would not ignore one"],
        hint: "add `.env*` and `!.env.example` to .gitignore",
      };
}

export async function environmentsSeparate(
  { folder }: DoctorDeps,
  state: GitState,
): Promise<CheckResult> {
  const check = "environments_apart";
  const top = state.ok && state.git !== null ? state.git.top : folder;
  const read = await Promise.all([...new Set([top, folder])].map(readEnvFiles));
  const secrets = read.flatMap((one) => one.secrets);
  const unread = read.flatMap((one) => one.unread);
  const details = [...sharedSecrets(secrets), ...misplacedKeys(secrets)];
  const environments = new Set(
    secrets.flatMap(({ environment }) => environment ?? []),
  );
  if (details.length > 0) {
    return {
      check,
      status: "fail",
      details: [...details, ...unread],
      hint: "use separate keys and secrets for each environment, and rotate the shared ones",
    };
  }
  if (unread.length > 0) {
    return {
      check,
      status: "warn",
      details: unread,
      hint: "correct these lines: they are ambiguous, so their values were not compared",
    };
  }
  return environments.size < 2
    ? {
        check,
        status: "skip",
        details: [
          "there are fewer than two .env.* files with secrets to compare",
        ],
        hint: "",
      }
    : { check, status: "pass", details: [...environments], hint: "" };
}
