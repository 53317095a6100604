import { readFileSync } from "node:fs";
import type { Command } from "commander";
import {
  loadSources,
  readEnvironment,
  readVariables,
} from "../../config/load-config.ts";
import { judgeWindow, skewSeconds } from "../../domain/replay-window.ts";
import { asError, EXIT, UsageError } from "../../errors.ts";
import { explain } from "../../signature/explain.ts";
import { verify } from "../../signature/verify.ts";
import { collect, parseTimestampOption } from "../options/parse.ts";
import { readAll } from "../input/read-all.ts";
import { requireSource } from "../source.ts";
import { type Input, type Io, writeLine } from "../io.ts";

interface Options {
  source: string;
  header?: string[];
  body?: string;
  now?: number;
  explain?: true;
  json?: true;
}

export function addVerify(program: Command, io: Io): void {
  program
    .command("verify")
    .description("check headers and a body offline, and say why they fail")
    .option("--source <name>", "the source to check against", "hex")
    .option(
      "-H, --header <line>",
      "a header, `name: value`; may be repeated",
      collect,
    )
    .option(
      "--body <file>",
      "a file with the exact body (default: standard input)",
    )
    .option(
      "--now <seconds>",
      "check as of this time, in unix seconds",
      parseTimestampOption,
    )
    .option("--explain", "also say what may have changed on the way")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Without -H, standard input has the headers, an empty line and the body:
  $ (hexhook sign < body.json; echo; cat body.json) | hexhook verify
Exit status: 0 verified, 1 not verified.`,
    )
    .action(async (options: Options) => {
      const env = readEnvironment(io.env);
      const source = requireSource(loadSources(env), options.source);
      const { REPLAY_WINDOW_SECONDS: window } = readVariables(env, [
        "REPLAY_WINDOW_SECONDS",
      ]);
      const { headers, body } = await readMessage(io.stdin, options);
      // The schemes read no method and no URL.
      const message = {
        method: "POST",
        url: `/webhooks/${source.name}`,
        headers: Object.fromEntries(headers),
        body,
      };
      const now = options.now === undefined ? Date.now() : options.now * 1000;

      const verified = verify(source, message, now);
      let reason = verified.ok ? null : verified.reason;
      if (verified.ok && verified.signedAt !== null) {
        const verdict = judgeWindow(
          skewSeconds(now, verified.signedAt),
          window,
        );
        reason = verdict === "inside" ? null : verdict;
      }
      const hints =
        options.explain && reason !== null
          ? explain(source, message, { now, reason, window })
          : [];
      io.setExitCode(reason === null ? EXIT.good : EXIT.checkFailed);
      if (options.json) {
        const { keyId } = verified;
        writeLine(
          io.stdout,
          JSON.stringify({ ok: reason === null, reason, keyId, hints }),
        );
      } else {
        writeLine(
          io.stdout,
          reason === null
            ? `verified (key ${verified.keyId ?? ""})`
            : `not verified: ${reason}`,
        );
        for (const hint of hints) {
          writeLine(io.stdout, `  ${hint}`);
        }
      }
    });
}

async function readMessage(
  stdin: Input,
  options: Options,
): Promise<{ headers: Map<string, string>; body: Buffer }> {
  if (options.header !== undefined) {
    const headers = parseHeaders(options.header);
    return {
      headers,
      body:
        options.body === undefined
          ? await readAll(stdin)
          : readBodyFile(options.body),
    };
  }
  const input = await readAll(stdin);
  if (options.body !== undefined) {
    return {
      headers: parseHeaders(input.toString("latin1").split(/\r?\n/)),
      body: readBodyFile(options.body),
    };
  }
  const gap = /\r?\n\r?\n/.exec(input.toString("latin1"));
  if (gap === null) {
    throw new UsageError(
      "give the headers with -H, or on standard input: headers, an empty line, the body",
    );
  }
  return {
    headers: parseHeaders(
      input.subarray(0, gap.index).toString("latin1").split(/\r?\n/),
    ),
    body: input.subarray(gap.index + gap[0].length),
  };
}

function readBodyFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (thrown) {
    throw new UsageError(`--body: ${asError(thrown).message}`);
  }
}

function parseHeaders(lines: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    if (line.trim() === "" || /^[A-Z]+ \S+ HTTP\//.test(line)) {
      continue;
    }
    const colon = line.indexOf(":");
    if (colon < 1) {
      throw new UsageError("a header must have the form `name: value`");
    }
    const name = line.slice(0, colon).trim().toLowerCase();
    if (headers.has(name)) {
      throw new UsageError(
        `the header ${name} is a duplicate; give each header once`,
      );
    }
    headers.set(name, line.slice(colon + 1).trim());
  }
  return headers;
}
