import { randomBytes } from "node:crypto";
import { existsSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { keyIdOf } from "../../domain/key-id.ts";
import { errorCode, UsageError } from "../../errors.ts";
import { writeObstacle } from "../../store/write-access.ts";
import { type Io, writeLine } from "../io.ts";
import { note } from "../ui/print.ts";

const SECRET_BYTES = 32;

interface Options {
  readonly file?: string;
  readonly json?: true;
}

export function addSecretsGenerate(secrets: Command, io: Io): void {
  secrets
    .command("generate")
    .description("make a new signing secret: 32 random bytes as 64 hex digits")
    .option("--file <file>", "write it to a new file (mode 0600), print its id")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nOn standard output there is the secret alone, or with --file its key id; what to\ndo with it goes to standard error.",
    )
    .action((options: Options) => {
      const secret = randomBytes(SECRET_BYTES).toString("hex");
      const keyId = keyIdOf(secret);
      const createdAt = new Date().toISOString().slice(0, 10);
      const { file } = options;
      if (file !== undefined) {
        writeNew(file, `${secret}\n`);
      }
      const shown = file === undefined ? { secret } : { file };
      writeLine(
        io.stdout,
        options.json
          ? JSON.stringify({ ...shown, keyId, createdAt })
          : (shown.secret ?? keyId),
      );
      if (!options.json) {
        note(
          io,
          `key id ${keyId}; set ${file === undefined ? "HEX_SECRET" : `HEX_SECRET_FILE=${file}`} and HEX_SECRET_CREATED_AT=${createdAt}`,
        );
      }
    });
}

/** A secret that is there already may be in force: it is never written over. */
function writeNew(file: string, content: string): void {
  try {
    writeFileSync(file, content, { mode: 0o600, flag: "wx" });
  } catch (thrown) {
    const code = errorCode(thrown) ?? "unknown";
    throw new UsageError(`--file: ${whyNotWritten(file, code)}`);
  }
}

function whyNotWritten(file: string, code: string): string {
  const folder = path.resolve(path.dirname(file));
  if (code === "EEXIST") {
    return statSync(file, { throwIfNoEntry: false })?.isDirectory() === true
      ? `${file} is a folder; name a new file in it`
      : `${file} is there already, and may be in force; name a new file`;
  }
  if (code === "ENOENT" && !existsSync(folder)) {
    return `there is no folder ${folder}; make it, or name a file elsewhere`;
  }
  return (
    writeObstacle(folder) ??
    `${file} cannot be written (${code}); name a file elsewhere`
  );
}
