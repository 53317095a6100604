import { spawn } from "node:child_process";
import { fstatSync, write } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Writable } from "node:stream";
import { errorCode } from "../../errors.ts";

const RETRY_MS = 500;

/** A disk that is full now may not be for long. */
const PASSING = new Set(["ENOSPC", "EDQUOT", "EAGAIN"]);

const writeSome = promisify(write);

/**
 * A standard stream that never holds up this process. Node writes to pipes in the background, but to terminals and files at
 * once: a terminal whose reader has pressed Ctrl-S would stop everything, and a full disk would tear a line and end it.
 */
export function unblocked(
  stream: NodeJS.WriteStream & { fd: number },
): Writable {
  if (stream.isTTY) {
    return throughPipe(stream.fd);
  }
  return fstatSync(stream.fd).isFile() ? intoFile(stream.fd) : stream;
}

/** A process of its own copies to the terminal: it may wait there for as long as it has to. */
function throughPipe(fd: number): Writable {
  const child = spawn("cat", { stdio: ["pipe", fd, "ignore"], detached: true });
  const { stdin } = child;
  if (stdin === null) {
    throw new TypeError("a pipe was asked for");
  }
  child.unref();
  child.on("error", (error) => stdin.destroy(error));
  return stdin;
}

/** What a full disk has not taken is written once there is room. */
function intoFile(fd: number): Writable {
  async function writeAll(chunk: Buffer): Promise<void> {
    let done = 0;
    while (done < chunk.length) {
      try {
        done += (await writeSome(fd, chunk, done)).bytesWritten;
      } catch (error) {
        if (!PASSING.has(errorCode(error) ?? "")) {
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
