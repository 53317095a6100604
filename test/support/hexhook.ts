import { EventEmitter } from "node:events";
import { Readable, Writable } from "node:stream";
import type { Environment } from "../../src/config/load-config.ts";
import type { Io } from "../../src/cli/io.ts";
import { run } from "../../src/cli/program.ts";
import { environment } from "./processes.ts";

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Environment;
  readonly input?: string | Buffer;
}

/** Commands run one after another, because the working directory belongs to the whole process. */
let last: Promise<unknown> = Promise.resolve();

/** Runs a command of the program to its end in this process. `hexhookProcess` runs it in a separate process. */
export function hexhook(
  args: readonly string[],
  options: RunOptions,
): Promise<Result> {
  if (args[0] === "serve" && !args.includes("--help")) {
    throw new Error("a service outlives its command: use hexhookProcess");
  }
  const result = last.then(() => runHere(args, options));
  last = result.catch(() => undefined);
  return result;
}

async function runHere(
  args: readonly string[],
  { cwd, env = {}, input = "" }: RunOptions,
): Promise<Result> {
  const stdout = collectText();
  const stderr = collectText();
  let code = 0;
  const io: Io = {
    stdin: Object.assign(Readable.from([Buffer.from(input)]), { isTTY: false }),
    stdout: stdout.stream,
    stderr: stderr.stream,
    env: environment(env),
    signals: new EventEmitter(),
    setExitCode: (given) => {
      code = given;
    },
  };
  const folder = process.cwd();
  const mask = process.umask(0o022);
  try {
    process.chdir(cwd);
    await run(args, io);
  } finally {
    process.chdir(folder);
    process.umask(mask);
  }
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

function collectText() {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      chunks.push(chunk);
      callback();
    },
  });
  return {
    stream: Object.assign(stream, { isTTY: false }),
    text: () => Buffer.concat(chunks).toString("utf8"),
  };
}
