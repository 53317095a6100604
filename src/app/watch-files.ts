import { stat } from "node:fs/promises";
import { errorCode } from "../errors.ts";
import { createInterval } from "../background/interval.ts";
import type { BackgroundService } from "../background/background-service.ts";

/**
 * Calls `onChange` when files have changed: also when a symbolic link on the path points elsewhere (as Kubernetes swaps the
 * files of a mounted secret), and when a file is replaced, removed or restored. Two polls must agree first, so that a file
 * that is being written is not read. The first poll calls too: files may have changed since they were read.
 * Polls, because the system's notifications are lost over links, network file systems and container mounts.
 */
export function createFileWatcher(
  deps: {
    /** Called at each poll. */
    readonly files: () => readonly string[];
    readonly onChange: () => Promise<void>;
    readonly onError: (error: unknown) => void;
  },
  options: { readonly everyMs: number },
): BackgroundService {
  const { files, onChange, onError } = deps;
  let reported = "";
  let before: string | null = null;

  return createInterval(
    async () => {
      const seen = await Promise.all(files().map(stateOf));
      const state = seen.join("\n");
      const settled = before === null || before === state;
      before = state;
      if (settled && state !== reported) {
        reported = state;
        await onChange();
      }
    },
    { everyMs: options.everyMs, onError },
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
