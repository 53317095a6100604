import { spawn } from "node:child_process";
import { fstatSync, write } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Writable } from "node:stream";
import { errorCode } from "../../errors.ts";

const RETRY_MS = 500;

/** Errors after which a later write can succeed, such as a full disk. */
const TEMPORARY = new Set(["ENOSPC", "EDQUOT", "EAGAIN"]);

const writeSome = promisify(write);

/**
 * Returns a stream that never blocks this process. Node writes to pipes in the background, but to terminals and files
 * synchronously. A terminal that is stopped by Ctrl-S would block the process. A full disk would truncate a line and end the
 * process.
 */
export function unblocked(
  stream: NodeJS.WriteStream & { fd: number },
): Writable {
  if (stream.isTTY) {
    // A terminal that has hung up cannot tell its size. The copying process notices it.
    stream.on("error", () => undefined);
    return throughPipe(stream.fd);
  }
  return fstatSync(stream.fd).isFile() ? intoFile(stream.fd) : stream;
}

/** Returns a pipe to a separate process that copies to the terminal. A stopped terminal blocks only that process. */
function throughPipe(fd: number): Writable {
  const child = spawn("cat", { stdio: ["pipe", fd, "ignore"], detached: true });
  const { stdin } = child;
  if (stdin === null) {
    throw new TypeError("the copying process has no pipe");
  }
  child.unref();
  child.on("error", (error) => stdin.destroy(error));
  return stdin;
}

/** Writes to a file in the background. Tries again while the disk is full. */
function intoFile(fd: number): Writable {
  async function writeAll(chunk: Buffer): Promise<void> {
    let done = 0;
    while (done < chunk.length) {
      try {
        done += (await writeSome(fd, chunk, done)).bytesWritten;
      } catch (error) {
        if (!TEMPORARY.has(errorCode(error) ?? "")) {
          throw error;
        }
        await delay(RETRY_MS, undefined, { ref: false });
      }
    }
  }
  return new Writable({
    write(chunk: Buffer, _encoding, callback) {
      writeAll(chunk).then(() => {
        callback();
      }, callback);
    },
  });
}
