import { lstat, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { errorCode } from "../errors.ts";
import type { Finding } from "./check-result.ts";
import { isEnvFile } from "./env-files.ts";
import type { Git } from "./git.ts";
import {
  MAX_SCANNED_BYTES,
  type Scan,
  type Scanned,
  type ScanProgress,
} from "./scan.ts";

/** Where there is no git to say what belongs to a project. */
const SKIPPED_FOLDERS = new Set(["node_modules", ".git"]);

/** Tracked files, and untracked ones that are not ignored; a name that ends in `/` is a repository within. */
export async function workingTree(git: Git): Promise<Buffer[]> {
  if (git.bare) {
    return [];
  }
  const which = ["--cached", "--others", "--exclude-standard"];
  const list = await git.list("ls-files", "-z", ...which);
  // By their bytes: what is not UTF-8 would become the same.
  return [
    ...new Map(list.map((name) => [name.toString("latin1"), name])).values(),
  ];
}

/** All files below a folder, but for `.env` files, those that are its `own`, and what others have written. */
export async function filesOf(
  folder: string,
  own: readonly string[],
): Promise<Buffer[]> {
  const files: Buffer[] = [];
  const visit = async (below: string): Promise<void> => {
    const entries = await readdir(path.join(folder, below), {
      withFileTypes: true,
    });
    for (const entry of entries) {
      const name = path.join(below, entry.name);
      if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name)) {
        await visit(name);
      } else if (
        entry.isFile() &&
        !isEnvFile(name) &&
        !own.includes(path.resolve(folder, name))
      ) {
        files.push(Buffer.from(name));
      }
    }
  };
  await visit("");
  return files;
}

/** Looks into files below `top`. `repositories` are those within. */
export async function scanFiles(
  top: string,
  files: readonly Buffer[],
  scan: Scan,
  progress: ScanProgress,
): Promise<Scanned & { readonly repositories: readonly string[] }> {
  const findings: Finding[] = [];
  const passedOver: string[] = [];
  const repositories: string[] = [];
  for (const file of files) {
    const name = file.toString("utf8");
    const read = await readWithin(
      Buffer.concat([Buffer.from(`${top}/`), file]),
    );
    if (read === "folder") {
      repositories.push(name);
    } else if (read === "passed over") {
      passedOver.push(name);
    } else if (read !== null) {
      const found = await scan(read, name);
      findings.push(
        ...found.map((one) => ({
          ...one,
          path: name,
          where: "tree" as const,
          commit: null,
        })),
      );
    }
    progress.done();
  }
  return { findings, passedOver, repositories };
}

/** Null for what has no content of its own: a link, or a file that is deleted but not yet committed so. */
async function readWithin(
  file: Buffer,
): Promise<Buffer | "folder" | "passed over" | null> {
  try {
    const stat = await lstat(file);
    if (stat.isDirectory()) {
      return "folder";
    }
    if (!stat.isFile()) {
      return null;
    }
    return stat.size > MAX_SCANNED_BYTES ? "passed over" : await readFile(file);
  } catch (thrown) {
    return errorCode(thrown) === "ENOENT" ? null : "passed over";
  }
}
