import { type Writable } from "node:stream";
import { type AuditReader, type AuditRow } from "../core/store.ts";

/** How an entry looks on stdout; `off` writes none. */
export type StdoutFormat = "prefixed" | "json" | "off";

/** So many entries are read from the store and handed to stdout at a time. */
const BATCH = 500;

export interface StdoutSink {
  /** Says that the store may have more. */
  wake: () => void;
  /** Resolves when all that the store has is written, or `withinMs` is over. */
  flush(withinMs: number): Promise<void>;
}

/**
 * Writes the entries of one writer to stdout, in order, from the store: so a reader that is slow or stuck holds up
 * nothing and nothing heaps up in memory. A reader that is gone ends the sink and not the process.
 */
export function startStdoutSink(deps: {
  trail: Pick<AuditReader, "readAudit">;
  stdout: Writable;
  format: StdoutFormat;
  writer: string;
  /** The position in the store that this writer's first entry comes behind. */
  after: number;
  onFault: (error: unknown) => void;
}): StdoutSink {
  const { trail, stdout, format, writer } = deps;
  const prefix = format === "prefixed" ? "[AUDIT] " : "";
  let position = deps.after;
  let pumping: Promise<void> | null = null;
  let again = false;
  let gone = format === "off";

  stdout.on("error", (error) => {
    gone = true;
    deps.onFault(error);
  });

  async function pump(): Promise<void> {
    let rows: readonly AuditRow[];
    do {
      again = false;
      rows = await trail.readAudit(position, BATCH);
      const mine = rows.filter((row) => row.writer === writer);
      if (mine.length > 0) {
        await write(mine.map(({ line }) => `${prefix}${line}\n`).join(""));
      }
      position = rows.at(-1)?.position ?? position;
    } while (!isGone() && (isWanted() || rows.length === BATCH));
  }

  function write(text: string): Promise<void> {
    return new Promise((resolve) => {
      stdout.write(text, () => {
        resolve();
      });
    });
  }

  // Both are set by others while the pump waits, which control flow analysis does not see.
  const isGone = (): boolean => gone;
  const isWanted = (): boolean => again;

  function wake(): void {
    again = true;
    if (pumping === null && !gone) {
      pumping = pump()
        .catch(deps.onFault)
        .finally(() => {
          pumping = null;
          if (again) {
            wake();
          }
        });
    }
  }

  return {
    wake,
    async flush(withinMs) {
      wake();
      const caughtUp = async (): Promise<void> => {
        while (pumping !== null) {
          await pumping;
        }
      };
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, withinMs);
      });
      await Promise.race([caughtUp(), late]);
      clearTimeout(timer);
    },
  };
}
