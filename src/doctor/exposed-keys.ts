import type { Finding } from "./check-result.ts";
import type { Git } from "./git.ts";
import { createKeyScanner } from "./key-scanner.ts";
import type { Scanned, ScanProgress } from "./scan.ts";
import { historyOf, scanObjects } from "./scan-history.ts";
import { filesOf, scanFiles, workingTree } from "./scan-tree.ts";

export interface ScanResult extends Scanned {
  /** How many files and versions of files were looked into. */
  readonly scanned: number;
  /** Repositories within this one. */
  readonly repositories: readonly string[];
  /** Whether git knows only a part of the history here. */
  readonly shallow: boolean;
}

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
