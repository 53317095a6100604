import { stat } from "node:fs/promises";
import { errorCode } from "../errors.ts";
import { startPeriodic } from "../background/interval.ts";

/**
 * Says when files have changed, also when a symbolic link on the way leads elsewhere (as Kubernetes swaps the files of a
 * mounted secret), when one is replaced, and when one goes or comes back: told once what is there has been the same at two
 * looks, so that a file half written is not read. The first look tells too: files may have changed since they were read.
 * Looks instead of watching, since notices of the system are lost over links, network file systems and container mounts.
 */
export function startWatchingFiles(
  deps: {
    /** Asked at each look. */
    readonly files: () => readonly string[];
    readonly onChange: () => Promise<void>;
    readonly onFault: (error: unknown) => void;
  },
  options: { readonly everyMs: number },
): { stop: () => Promise<void> } {
  const { files, onChange, onFault } = deps;
  let told = "";
  let before: string | null = null;

  return startPeriodic(
    async () => {
      const seen = await Promise.all(files().map(stateOf));
      const state = seen.join("\n");
      const settled = before === null || before === state;
      before = state;
      if (settled && state !== told) {
        told = state;
        await onChange();
      }
    },
    { everyMs: options.everyMs, onFault },
  );
}

/** Differs whenever the file is another, or was written. */
async function stateOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, {
      bigint: true,
    });
    return [dev, ino, size, mtimeNs, ctimeNs].join(":");
  } catch (thrown) {
    return errorCode(thrown) ?? "unknown";
  }
}
