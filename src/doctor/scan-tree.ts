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

/** Directories that are skipped outside git. */
const SKIPPED_FOLDERS = new Set(["node_modules", ".git"]);

/** Lists tracked files, and untracked ones that are not ignored. A name that ends in `/` is a nested repository. */
export async function workingTree(git: Git): Promise<Buffer[]> {
  if (git.bare) {
    return [];
  }
  const which = ["--cached", "--others", "--exclude-standard"];
  const list = await git.list("ls-files", "-z", ...which);
  // Keyed by bytes: different names that are not UTF-8 could decode to the same text.
  return [
    ...new Map(list.map((name) => [name.toString("latin1"), name])).values(),
  ];
}

/** Lists all files below a directory, except `.env` files, files in `own`, and the skipped directories. */
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

/** Scans files below `top`. `repositories` are nested repositories. */
export async function scanFiles(
  top: string,
  files: readonly Buffer[],
  scan: Scan,
  progress: ScanProgress,
): Promise<Scanned & { readonly repositories: readonly string[] }> {
  const findings: Finding[] = [];
  const skipped: string[] = [];
  const repositories: string[] = [];
  for (const file of files) {
    const name = file.toString("utf8");
    const read = await readEntry(Buffer.concat([Buffer.from(`${top}/`), file]));
    if (read === "folder") {
      repositories.push(name);
    } else if (read === "skipped") {
      skipped.push(name);
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
  return { findings, skipped, repositories };
}

/** Reads a file. Returns null for a symbolic link, and for a deleted file that git still tracks. */
async function readEntry(
  file: Buffer,
): Promise<Buffer | "folder" | "skipped" | null> {
  try {
    const stat = await lstat(file);
    if (stat.isDirectory()) {
      return "folder";
    }
    if (!stat.isFile()) {
      return null;
    }
    return stat.size > MAX_SCANNED_BYTES ? "skipped" : await readFile(file);
  } catch (thrown) {
    return errorCode(thrown) === "ENOENT" ? null : "skipped";
  }
}
