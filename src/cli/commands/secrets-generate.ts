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
    .description("generate a signing secret: 32 random bytes as 64 hex digits")
    .option(
      "--file <file>",
      "write the secret to a new file (mode 0600), and print its key id",
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nStandard output gets the secret alone, or its key id with --file. Standard error\ngets the variables to set.",
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
          `key id ${keyId}; set ${file === undefined ? "HEX_SECRET" : `HEX_SECRET_FILE=${file}`} and HEX_SECRET_CREATED_AT=${createdAt}, or for a source of the configuration file its own variable and createdAt: ${createdAt}`,
        );
      }
    });
}

/** Never overwrites a file: its secret may be in use. */
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
      ? `${file} is a directory; name a new file in it`
      : `${file} already exists, and its secret may be in use; name a new file`;
  }
  if (code === "ENOENT" && !existsSync(folder)) {
    return `there is no directory ${folder}; create it, or name a file elsewhere`;
  }
  return (
    writeObstacle(folder) ??
    `${file} cannot be written (${code}); name a file elsewhere`
  );
}
