import type { Finding } from "./check-result.ts";
import type { Git } from "./git.ts";
import {
  MAX_SCANNED_BYTES,
  type Scan,
  type Scanned,
  type ScanProgress,
} from "./scan.ts";

/** Maximum number of objects with keys whose commit is looked up. Each look-up is slow. */
const MAX_TRACED = 30;

/** An object with text: a file version, a commit or a tag. */
export interface HistoryObject {
  readonly id: string;
  /** One of the names of the file; null for a commit or a tag. */
  readonly file: string | null;
  readonly bytes: number;
  /** Whether it is staged but not in any commit. */
  readonly staged: boolean;
}

/** Lists all objects that are reachable from a ref or staged, each once. */
export async function historyOf(git: Git): Promise<HistoryObject[]> {
  const roots = ["--all", ...(await stashes(git))];
  const listed = await git.output("rev-list", "--objects", ...roots);
  const names = new Map<string, string>();
  for (const line of listed.toString("utf8").split("\n")) {
    if (line !== "") {
      const [id = ""] = line.split(" ", 1);
      names.set(id, line.slice(id.length + 1));
    }
  }
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
      // A tag can point to a file that has no name.
      file:
        type === "blob" ? names.get(id) || `object ${id.slice(0, 12)}` : null,
      bytes,
      staged: stagedIds.has(id),
    }));
}

/** Lists all stashes. The ref points only to the newest one. */
async function stashes(git: Git): Promise<string[]> {
  const refs = await git.output("for-each-ref", "refs/stash");
  if (refs.length === 0) {
    return [];
  }
  const log = await git.output("log", "-g", "--format=%H", "refs/stash");
  return log.toString("utf8").split("\n").filter(Boolean);
}

/** Scans objects of the history, and looks up the commits that added keys. */
export async function scanObjects(
  git: Git,
  objects: readonly HistoryObject[],
  scan: Scan,
  progress: ScanProgress,
): Promise<Scanned> {
  const findings: Finding[] = [];
  const skipped: string[] = [];
  const wanted = new Map<string, HistoryObject>();
  for (const one of objects) {
    if (one.bytes > MAX_SCANNED_BYTES) {
      skipped.push(one.file ?? one.id);
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
            ? await commitThatAdded(git, id)
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
  return { findings, skipped };
}

/** Returns the message of a commit or tag, without its headers, which may contain a signature. */
function messageOf(content: Buffer): Buffer {
  const end = content.indexOf("\n\n");
  return end === -1 ? content : content.subarray(end + 2);
}

/** Returns the oldest commit that contains this file version; null if none does. */
async function commitThatAdded(git: Git, id: string): Promise<string | null> {
  const commits = await git.output(
    "log",
    "--all",
    // Includes merges, which can add content that neither parent has.
    "-m",
    "--no-textconv",
    "--no-ext-diff",
    "--format=%H",
    `--find-object=${id}`,
  );
  return commits.toString("utf8").trim().split("\n").at(-1) || null;
}
