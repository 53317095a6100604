import { stat } from "node:fs/promises";
import { errorCode } from "../errors.ts";
import { createInterval } from "../background/interval.ts";
import type { BackgroundService } from "../background/background-service.ts";

/**
 * Polls files and calls `onChange` when one was written, replaced, removed or restored. This includes a changed symbolic link on
 * the path, as in a mounted Kubernetes secret. Two polls must agree first, so that a half-written file is not read. The first
 * poll also calls `onChange`, because files may have changed since they were read. File system notifications are not used,
 * because they get lost across links, network file systems and container mounts.
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
      const states = await Promise.all(files().map(stateOf));
      const state = states.join("\n");
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

/** Returns a text that changes when the file is replaced or written. */
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
