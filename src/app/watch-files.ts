import { stat } from "node:fs/promises";
import { errorCode } from "../errors.ts";
import { createInterval } from "../background/interval.ts";
import type { BackgroundService } from "../background/background-service.ts";

/**
 * Polls files and calls `onChange` when they have changed, were replaced, removed or restored, or when a symbolic link on the
 * path changed, as for a mounted Kubernetes secret. Two polls must agree first, so that a half-written file is not read. The
 * first poll also calls `onChange`, because files may have changed since they were read. Notifications of the system are not
 * used, because they are lost over links, network file systems and container mounts.
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
