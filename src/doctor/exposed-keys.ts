import type { Finding } from "./check-result.ts";
import type { Git } from "./git.ts";
import { createKeyScanner } from "./key-scanner.ts";
import type { Scanned, ScanProgress } from "./scan.ts";
import { historyOf, scanObjects } from "./scan-history.ts";
import { filesOf, scanFiles, workingTree } from "./scan-tree.ts";

export interface ScanResult extends Scanned {
  /** Number of scanned files, file versions and messages. */
  readonly scanned: number;
  /** Paths of nested repositories. */
  readonly repositories: readonly string[];
  /** Whether the clone is shallow. */
  readonly shallow: boolean;
}

/**
 * Searches for exposed keys in the working tree (tracked files, and untracked ones that git does not ignore), and in every file
 * version and commit message that is reachable from a ref. Without git it searches only the directory, except `.env` files and
 * the files in `own`: absolute paths of files that may contain secrets. `known`: secrets that are searched for literally.
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
      ? { findings: [], skipped: [] }
      : await scanObjects(git, objects, scan, progress);
  // A key in the working tree is not reported again from the history of the same file.
  const inTree = new Set(tree.findings.map(placeOf));
  const findings = [
    ...tree.findings,
    ...history.findings.filter((one) => !inTree.has(placeOf(one))),
  ];
  return {
    findings: [...new Map(findings.map((one) => [idOf(one), one])).values()],
    scanned: files.length + objects.length,
    skipped: [...tree.skipped, ...history.skipped],
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
