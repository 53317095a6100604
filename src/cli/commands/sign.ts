import type { Command } from "commander";
import { loadSources, readEnvironment } from "../../config/load-config.ts";
import { signHeaders } from "../../signature/sign.ts";
import { parseTimestampOption } from "../options/parse.ts";
import { readAll } from "../input/read-all.ts";
import { currentKey, requireSource } from "../source.ts";
import { type Io, writeLine } from "../io.ts";

export function addSign(program: Command, io: Io): void {
  program
    .command("sign")
    .description("print the headers that sign the body on standard input")
    .option("--source <name>", "the source to sign as", "hex")
    .option(
      "--timestamp <seconds>",
      "sign with this time, in unix seconds",
      parseTimestampOption,
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExample:\n  $ hexhook sign < body.json\n  x-hex-timestamp: …\n  x-hex-signature: …",
    )
    .action(
      async (options: { source: string; timestamp?: number; json?: true }) => {
        const source = requireSource(
          loadSources(readEnvironment(io.env)),
          options.source,
        );
        const headers = signHeaders(
          source.scheme,
          currentKey(source),
          await readAll(io.stdin),
          options.timestamp ?? Math.floor(Date.now() / 1000),
        );
        if (options.json) {
          writeLine(io.stdout, JSON.stringify(headers));
          return;
        }
        for (const [name, value] of Object.entries(headers)) {
          writeLine(io.stdout, `${name}: ${value}`);
        }
      },
    );
}
