import { readFileSync, statSync } from "node:fs";
import {
  type HexApiConfig,
  type HexKeyVariable,
  liveKeyError,
} from "../../config/hex-api.ts";
import { headerSecretError, readSecretFile } from "../../config/secret.ts";
import { UsageError } from "../../errors.ts";
import { askHidden } from "./ask-hidden.ts";
import { readAll } from "./read-all.ts";
import type { Io } from "../io.ts";

/** Reads a new key from a file, from standard input (`-`) or from a prompt on the terminal. Throws UsageError. */
export async function obtainNewKey(
  io: Io,
  from: string | undefined,
  variable: string,
): Promise<string> {
  if (from === undefined && !io.stdin.isTTY) {
    throw new UsageError(
      "there is no terminal to ask for the new key; use --from FILE, or --from - for standard input",
    );
  }
  if (from === undefined || (from === "-" && io.stdin.isTTY)) {
    return askHidden(io, `New key for ${variable} (it is not shown): `);
  }
  if (from === "-") {
    const text = (await readAll(io.stdin)).toString("utf8");
    if (text === "") {
      throw new UsageError(
        "standard input has no key; give the new key there, or use --from FILE",
      );
    }
    return text.replace(/\r?\n$/, "");
  }
  if (statSync(from, { throwIfNoEntry: false })?.isFIFO()) {
    // With `--from <(command)`, a shell passes the path of a FIFO.
    return readFileSync(from, "utf8").replace(/\r?\n$/, "");
  }
  const read = readSecretFile(from);
  if ("error" in read) {
    throw new UsageError(`--from ${read.error}`);
  }
  return read.value;
}

/** Throws UsageError when the new key cannot replace the key of `variable`. */
export function requireNewKey(
  newKey: string,
  { keys, environment }: HexApiConfig,
  variable: HexKeyVariable,
): void {
  const error = headerSecretError(newKey) ?? liveKeyError(newKey, environment);
  if (error !== null) {
    throw new UsageError(`the new key ${error}`);
  }
  const same = keys.find(({ value }) => value === newKey);
  if (same !== undefined) {
    throw new UsageError(
      same.variable === variable
        ? "the new key is the same as the old one; create a new one in the Hex dashboard"
        : `the new key is already used in ${same.variable}; the reader and the writer need different keys`,
    );
  }
}
