import { spawn } from "node:child_process";
import { once } from "node:events";
import { realpath } from "node:fs/promises";
import path from "node:path";

/** An object of a repository. */
export interface GitObject {
  readonly id: string;
  readonly type: string;
  readonly bytes: number;
}

/** A repository, read with the `git` command. */
export interface Git {
  /** The top of its working tree. */
  readonly top: string;
  /** Whether there is no working tree. `top` is then the git directory. */
  readonly bare: boolean;
  /** Returns the output of a command. Rejects with GitError if it fails. */
  readonly output: (...args: readonly string[]) => Promise<Buffer>;
  /** Returns the output of a command, split at zero bytes. File names may contain any bytes. */
  readonly list: (...args: readonly string[]) => Promise<Buffer[]>;
  /** Returns types and sizes of objects, in the order of `ids`. */
  readonly sizes: (ids: readonly string[]) => Promise<GitObject[]>;
  /** Returns contents of objects, in the order of `ids`. */
  readonly contents: (
    ids: readonly string[],
  ) => AsyncGenerator<{ readonly id: string; readonly content: Buffer }>;
}

export class GitError extends Error {
  override readonly name = "GitError";
}

/**
 * Options for an untrusted repository. Git does not run commands from its configuration, and fetches nothing. It ignores
 * replacement objects, and so reads the objects that a push would send.
 */
const SAFE = [
  "--no-replace-objects",
  "--no-optional-locks",
  "--no-pager",
  ...[
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.sshCommand=false",
    "gpg.program=false",
    "log.showSignature=false",
    "protocol.allow=never",
  ].flatMap((setting) => ["-c", setting]),
];

/** The exit code of `env` if the command does not exist. */
const NOT_FOUND = 127;

/** Makes messages English, and prevents lazy fetching and prompts. */
const VARIABLES = ["LC_ALL=C", "GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0"];

/** The directory and environment that git runs in. */
export interface GitPlace {
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Opens the repository that contains a directory; null = none. Throws GitError if git cannot read it. */
export async function openGit({ folder, env }: GitPlace): Promise<Git | null> {
  const revParse = async (option: string): Promise<string> =>
    (await run({ folder, env }, ["rev-parse", option]))
      .toString("utf8")
      .trimEnd();
  let bare: boolean;
  try {
    bare = (await revParse("--is-bare-repository")) === "true";
  } catch (thrown) {
    if (
      thrown instanceof GitError &&
      /not a git repository/i.test(thrown.message)
    ) {
      return null;
    }
    throw thrown;
  }
  const top = await revParse(bare ? "--absolute-git-dir" : "--show-toplevel");
  const below = path.relative(await realpath(top), await realpath(folder));
  if (below.startsWith("..")) {
    throw new GitError(
      "the working tree of this repository does not contain this directory",
    );
  }
  const place = { folder: top, env };
  const output = (...args: readonly string[]): Promise<Buffer> =>
    run(place, args);
  return {
    top,
    bare,
    output,
    list: async (...args) => splitAtZero(await output(...args)),
    async sizes(ids) {
      const lines = (
        await run(place, ["cat-file", "--batch-check"], ids)
      ).toString("utf8");
      return lines.split("\n").flatMap((line): GitObject[] => {
        const [id, type, bytes] = line.split(" ");
        return id && type && bytes ? [{ id, type, bytes: Number(bytes) }] : [];
      });
    },
    contents: (ids) => contents(place, ids),
  };
}

function splitAtZero(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(0, from);
    const to = end === -1 ? bytes.length : end;
    if (to > from) {
      parts.push(bytes.subarray(from, to));
    }
    from = to + 1;
  }
  return parts;
}

function start(
  { folder, env }: GitPlace,
  args: readonly string[],
  input: readonly string[],
) {
  const child = spawn("env", [...VARIABLES, "git", ...SAFE, ...args], {
    cwd: folder,
    env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const errors: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  child.stdin.on("error", () => undefined);
  child.stdin.end(input.map((line) => `${line}\n`).join(""));
  const ended = once(child, "close").then(([code]) => {
    if (code === NOT_FOUND) {
      throw new GitError("git is not installed");
    }
    if (code !== 0) {
      const message =
        Buffer.concat(errors).toString("utf8").split("\n")[0] ?? "";
      throw new GitError(`git ${args[0] ?? ""}: ${message}`);
    }
  });
  // Prevents an unhandled rejection: callers await this only after they have read the output.
  ended.catch(() => undefined);
  return { stdout: child.stdout, ended };
}

async function run(
  place: GitPlace,
  args: readonly string[],
  input: readonly string[] = [],
): Promise<Buffer> {
  const { stdout, ended } = start(place, args, input);
  const chunks: Buffer[] = [];
  for await (const chunk of stdout as AsyncIterable<Buffer>) {
    chunks.push(chunk);
  }
  await ended;
  return Buffer.concat(chunks);
}

/** Parses `git cat-file --batch`: for each object `ID TYPE SIZE\n`, SIZE bytes, `\n`. */
async function* contents(place: GitPlace, ids: readonly string[]) {
  const { stdout, ended } = start(place, ["cat-file", "--batch"], ids);
  let pending: Buffer[] = [];
  let length = 0;
  let header: { id: string; bytes: number } | null = null;
  for await (const chunk of stdout as AsyncIterable<Buffer>) {
    pending.push(chunk);
    length += chunk.length;
    if (header !== null && length < header.bytes + 1) {
      continue;
    }
    let data = Buffer.concat(pending);
    for (;;) {
      if (header === null) {
        const end = data.indexOf(0x0a);
        if (end === -1) {
          break;
        }
        const [id = "", , bytes] = data
          .subarray(0, end)
          .toString("latin1")
          .split(" ");
        data = data.subarray(end + 1);
        header = bytes === undefined ? null : { id, bytes: Number(bytes) };
      }
      if (header !== null) {
        if (data.length < header.bytes + 1) {
          break;
        }
        yield { id: header.id, content: data.subarray(0, header.bytes) };
        data = data.subarray(header.bytes + 1);
        header = null;
      }
    }
    pending = [data];
    length = data.length;
  }
  await ended;
}
