import { lstat, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { errorCode } from "../errors.ts";
import { type Finding } from "./check-result.ts";
import { isEnvFile } from "./env-files.ts";
import { type Git } from "./git.ts";
import { createKeyScanner, type ScannedKey } from "./key-scanner.ts";

/** Larger files are not looked into. */
const MAX_BYTES = 16_777_216;

/** Of so many objects it is looked up which commit brought them. */
const MAX_TRACED = 30;

/** Where there is no git to say what belongs to a project. */
const SKIPPED_FOLDERS = new Set(["node_modules", ".git"]);

/** Told how many files and objects there are to scan, and of each that is done. */
export interface ScanProgress {
  readonly total: (count: number) => void;
  readonly done: () => void;
}

export interface ScanResult {
  readonly findings: readonly Finding[];
  /** How many files and versions of files were looked into. */
  readonly scanned: number;
  /** Those that were too large, or could not be read. */
  readonly passedOver: readonly string[];
  /** Repositories within this one. */
  readonly repositories: readonly string[];
  /** Whether git knows only a part of the history here. */
  readonly shallow: boolean;
}

type Scan = (bytes: Buffer, name: string) => Promise<ScannedKey[]>;

/**
 * Looks for keys in the working tree, tracked files and untracked ones that git does not ignore, and in every version of
 * every file and every commit message that a ref leads to. Without git it is the folder alone, but for `own`: the files
 * that secrets are meant to be in, by their whole paths. `known` are keys that are looked for as they are.
 */
export async function findExposedKeys(
  folder: string,
  git: Git | null,
  options: {
    readonly known: readonly string[];
    readonly own: readonly string[];
  },
  progress: ScanProgress,
): Promise<ScanResult> {
  const { known, own } = options;
  const scan = createKeyScanner(known);
  const files =
    git === null ? await filesOf(folder, own) : await workingTree(git);
  const objects = git === null ? [] : await historyOf(git);
  progress.total(files.length + objects.length);
  const tree = await scanFiles(git?.top ?? folder, files, scan, progress);
  const history =
    git === null
      ? { findings: [], passedOver: [] }
      : await scanObjects(git, objects, scan, progress);
  // What stands in the working tree is not told of again, line by line, from the history of the same file.
  const open = new Set(tree.findings.map(placeOf));
  const findings = [
    ...tree.findings,
    ...history.findings.filter((one) => !open.has(placeOf(one))),
  ];
  return {
    findings: [...new Map(findings.map((one) => [idOf(one), one])).values()],
    scanned: files.length + objects.length,
    passedOver: [...tree.passedOver, ...history.passedOver],
    repositories: tree.repositories,
    shallow:
      git !== null &&
      (await git.output("rev-parse", "--is-shallow-repository"))
        .toString("utf8")
        .startsWith("true"),
  };
}

const placeOf = ({ path: file, fingerprint }: Finding): string =>
  `${fingerprint} ${file}`;

const idOf = (one: Finding): string =>
  `${placeOf(one)} ${one.where === "tree" ? one.line : one.where}`;

/** Tracked files, and untracked ones that are not ignored; a name that ends in `/` is a repository within. */
async function workingTree(git: Git): Promise<Buffer[]> {
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

async function filesOf(
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

async function scanFiles(
  top: string,
  files: readonly Buffer[],
  scan: Scan,
  progress: ScanProgress,
) {
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
    return stat.size > MAX_BYTES ? "passed over" : await readFile(file);
  } catch (thrown) {
    return errorCode(thrown) === "ENOENT" ? null : "passed over";
  }
}

/** An object of the history that has text: a version of a file, or what a commit or tag says. */
interface HistoryObject {
  readonly id: string;
  /** The file, by one of its names; null for a commit or a tag. */
  readonly file: string | null;
  readonly bytes: number;
  /** Whether it is in no commit yet. */
  readonly staged: boolean;
}

async function historyOf(git: Git): Promise<HistoryObject[]> {
  const roots = ["--all", ...(await stashes(git))];
  const listed = await git.output("rev-list", "--objects", ...roots);
  const names = new Map<string, string>();
  for (const line of listed.toString("utf8").split("\n")) {
    if (line !== "") {
      const [id = ""] = line.split(" ", 1);
      names.set(id, line.slice(id.length + 1));
    }
  }
  // What is staged and in no commit yet.
  const stagedIds = new Set<string>();
  const staged = git.bare ? [] : await git.list("ls-files", "-z", "--stage");
  for (const entry of staged) {
    const [facts = "", file = ""] = entry.toString("utf8").split("\t");
    const [mode, id = ""] = facts.split(" ");
    if (mode !== "160000" && !names.has(id)) {
      names.set(id, file);
      stagedIds.add(id);
    }
  }
  const sizes = await git.sizes([...names.keys()]);
  return sizes
    .filter(({ type }) => type !== "tree")
    .map(({ id, type, bytes }) => ({
      id,
      // A tag may lead to a file that has no name.
      file:
        type === "blob" ? names.get(id) || `object ${id.slice(0, 12)}` : null,
      bytes,
      staged: stagedIds.has(id),
    }));
}

/** All of them: a ref leads to the newest alone. */
async function stashes(git: Git): Promise<string[]> {
  const refs = await git.output("for-each-ref", "refs/stash");
  if (refs.length === 0) {
    return [];
  }
  const log = await git.output("log", "-g", "--format=%H", "refs/stash");
  return log.toString("utf8").split("\n").filter(Boolean);
}

async function scanObjects(
  git: Git,
  objects: readonly HistoryObject[],
  scan: Scan,
  progress: ScanProgress,
) {
  const findings: Finding[] = [];
  const passedOver: string[] = [];
  const wanted = new Map<string, HistoryObject>();
  for (const one of objects) {
    if (one.bytes > MAX_BYTES) {
      passedOver.push(one.file ?? one.id);
      progress.done();
    } else {
      wanted.set(one.id, one);
    }
  }
  let traced = 0;
  for await (const { id, content } of git.contents([...wanted.keys()])) {
    const file = wanted.get(id)?.file ?? null;
    const found = await scan(
      file === null ? messageOf(content) : content,
      file ?? "message",
    );
    if (found.length > 0) {
      traced += 1;
      const commit =
        file === null
          ? id
          : traced <= MAX_TRACED
            ? await commitThatBrought(git, id)
            : null;
      const isStaged = wanted.get(id)?.staged === true;
      findings.push(
        ...found.map((one) => ({
          ...one,
          path: file ?? "commit message",
          where: isStaged ? ("index" as const) : ("history" as const),
          commit: commit?.slice(0, 12) ?? null,
        })),
      );
    }
    progress.done();
  }
  return { findings, passedOver };
}

/** Of a commit or a tag: behind its headers, among which a signature may be. */
function messageOf(content: Buffer): Buffer {
  const end = content.indexOf("\n\n");
  return end === -1 ? content : content.subarray(end + 2);
}

/** The oldest commit with this version of a file; null where there is none yet. */
async function commitThatBrought(git: Git, id: string): Promise<string | null> {
  const commits = await git.output(
    "log",
    "--all",
    // Merges too: what they bring by themselves is in neither parent.
    "-m",
    "--no-textconv",
    "--no-ext-diff",
    "--format=%H",
    `--find-object=${id}`,
  );
  return commits.toString("utf8").trim().split("\n").at(-1) || null;
}
