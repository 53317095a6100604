import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { CheckName, CheckResult } from "../../src/doctor/check-result.ts";
import type { Environment } from "../../src/config/load-config.ts";
import { OWN_SECRET } from "./fake-keys.ts";
import { TODAY } from "./fixtures.ts";
import { hexhook } from "./hexhook.ts";
import { environment } from "./processes.ts";

/** An environment in which every check of `doctor` passes. */
export const GOOD_ENV: Environment = {
  HEX_SECRET: OWN_SECRET,
  HEX_SECRET_CREATED_AT: TODAY,
  HEX_READ_KEY: "read-key-0123456789",
  HEX_SCOPES: "read:*",
  DATABASE_URL: "sqlite:hexhook.db",
};

export type Repository = ReturnType<typeof repositoryIn>;

/** A directory that is or becomes a git repository, with a function that runs `doctor` there. */
export function repositoryIn(folder: string) {
  const git = (...args: readonly string[]): string => {
    const identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    return execFileSync("git", [...identity, ...args], {
      cwd: folder,
      env: environment({ GIT_CONFIG_GLOBAL: "/dev/null", HOME: folder }),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  };
  return {
    git,
    write(name: string, content: string | Buffer): void {
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, content);
    },
    /** Commits everything and returns the short id of the commit. */
    commit(message = "change"): string {
      git("add", "-A");
      git("commit", "-q", "--allow-empty", "-m", message);
      return git("rev-parse", "HEAD").slice(0, 12);
    },
    copyOf(other: string): void {
      cpSync(other, folder, { recursive: true });
    },
    async doctor(env: Environment = {}, ...more: readonly string[]) {
      const result = await hexhook(["doctor", "--json", ...more], {
        cwd: folder,
        env: { ...GOOD_ENV, ...env },
      });
      const results = result.stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as CheckResult);
      return {
        ...result,
        failed: results
          .filter(({ status }) => status === "fail")
          .map(({ check }) => check),
        of: (check: CheckName): CheckResult =>
          results.find((one) => one.check === check)!,
      };
    },
  };
}

/** Creates a repository in which every check of `doctor` passes. */
export function makeCleanRepository(folder: string): void {
  const repository = repositoryIn(folder);
  repository.git("init", "-q", "-b", "main");
  repository.write(".gitignore", ".env*\n!.env.example\n*.db*\n*.pem\n");
  repository.write(
    "src/index.ts",
    "export const apiKey = process.env.HEX_API_KEY;\n",
  );
  repository.write(".env.example", "HEX_SECRET=\nHEX_API_KEY=your-api-key\n");
  repository.write(
    "docs/rotation.md",
    "Keys look like `sk_live_…` or sk_live_xxxxxxxxxxxx.\n",
  );
  repository.commit("start");
}
