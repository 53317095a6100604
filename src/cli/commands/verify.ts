import { readFileSync, statSync } from "node:fs";
import { type Command, Option } from "commander";
import { loadSources, readEnvironment } from "../../config/load-config.ts";
import type { Source } from "../../domain/source.ts";
import { asError, ConfigError, EXIT, UsageError } from "../../errors.ts";
import type { explain } from "../../signature/explain/explain.ts";
import type { Finding, Trial } from "../../signature/explain/finding.ts";
import { splitQuery } from "../../signature/public-url.ts";
import { visible } from "../../terminal/terminal-text.ts";
import {
  type CapturedRequest,
  parseHead,
  parseRequest,
} from "../input/captured-request.ts";
import { readAll } from "../input/read-all.ts";
import { type Checked, checkRequest } from "../check-request.ts";
import { type Io, writeLine } from "../io.ts";
import { collect, parseTimestampOption } from "../options/parse.ts";
import { secretVariableOf, sourceOfScheme } from "../scheme-source.ts";
import { requireSource } from "../source.ts";
import { note } from "../ui/print.ts";

interface Options {
  source?: string;
  scheme?: string;
  header?: string[];
  request?: string;
  body?: string;
  url?: string;
  now?: number;
  explain?: true;
  json?: true;
}

/** The largest body that the service can be configured to accept, and as much as it accepts of headers. */
const MAX_INPUT_BYTES = 26_214_400 + 65_536;

export function addVerify(program: Command, io: Io): void {
  program
    .command("verify")
    .description("check headers and a body offline, and say why they fail")
    .option("--source <name>", "the source to check against (default: hex)")
    .addOption(
      new Option(
        "--scheme <name>",
        "check against a scheme, with the secret in NAME_SECRET",
      ).conflicts("source"),
    )
    .addOption(
      new Option(
        "-H, --header <line>",
        "a header, `name: value`; may be repeated",
      )
        .argParser(collect)
        .conflicts("request"),
    )
    .option(
      "--request <file>",
      "a raw HTTP request or a log of `curl -v` (default: standard input)",
    )
    .option(
      "--body <file>",
      "a file with the exact body (default: standard input)",
    )
    .option("--url <url>", "the URL that the sender calls, with its query")
    .option(
      "--now <seconds>",
      "check as of this time, in unix seconds",
      parseTimestampOption,
    )
    .option("--explain", "also say what is wrong, and how to fix it")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Without -H, the input is a raw HTTP request; or headers, an empty line and the
body; or a log of \`curl -v\`, which has no body and needs --body:
  $ (hexhook sign < body.json; echo; cat body.json) | hexhook verify
  $ curl -v --data-binary @body.json … 2> curl.log
  $ hexhook verify --explain --request curl.log --body body.json
Exit status: 0 verified, 1 not verified.`,
    )
    .action(async (options: Options) => {
      const request = await readRequest(io, options);
      const { source, sources } = sourcesFor(io, options);
      const now = options.now === undefined ? Date.now() : options.now * 1000;
      const trial = trialOf(source, request, options.url ?? null);
      const result = checkRequest(trial, request.repeated, now);
      const { reason } = result;
      const findings =
        options.explain && reason !== null
          ? await explained(trial, reason, {
              sources,
              url: options.url ?? null,
              now,
            })
          : [];
      io.setExitCode(reason === null ? EXIT.good : EXIT.checkFailed);
      if (options.json) {
        const { keyId } = result;
        const ok = reason === null;
        const hints = findings.map(({ says, fix }) => `${says}; ${fix}`);
        writeLine(
          io.stdout,
          JSON.stringify({ ok, reason, keyId, hints, findings }),
        );
      } else {
        printResult(io, result, findings);
      }
      const other = otherEndpoint(source, request.target);
      if (options.explain && options.scheme === undefined && other !== null) {
        note(
          io,
          `the request was sent to ${visible(other)}, but the source ${source.name} receives at /webhooks/${source.name}`,
        );
      }
    });
}

/** Loads the explanations only here, because every command loads this module. */
async function explained(
  ...message: Parameters<typeof explain>
): Promise<readonly Finding[]> {
  const { explain } = await import("../../signature/explain/explain.ts");
  return explain(...message);
}

function sourcesFor(
  io: Io,
  options: Options,
): { source: Source; sources: readonly Source[] } {
  const env = readEnvironment(io.env);
  if (options.scheme === undefined) {
    const sources = loadSources(env);
    return { source: requireSource(sources, options.source ?? "hex"), sources };
  }
  const source = sourceOfScheme(env, options.scheme);
  if (source.secrets.length === 0) {
    throw new ConfigError([
      `${secretVariableOf(options.scheme)}: is not set; set it to the secret of the sender`,
    ]);
  }
  return { source, sources: [source] };
}

/** Returns the path of a request to another endpoint than that of the source; null if there is none in the request. */
function otherEndpoint({ name }: Source, target: string | null): string | null {
  const [path = ""] = target?.split("?") ?? [];
  return path.startsWith("/webhooks/") && path !== `/webhooks/${name}`
    ? path
    : null;
}

/** Returns the message to verify. `url` completes a source that has no public URL. */
function trialOf(
  source: Source,
  request: CapturedRequest,
  url: string | null,
): Trial {
  const { method, target, headers, body } = request;
  if (url !== null && !/^https?:\/\/[^/?#]/i.test(url)) {
    throw new UsageError("--url must start with http:// or https://");
  }
  const { base, query } = splitQuery(url ?? "");
  const path = /^https?:\/\/[^/]*(.*)$/i.exec(base)?.[1] ?? "";
  return {
    source: {
      ...source,
      publicUrl: source.publicUrl ?? (url === null ? null : base),
    },
    message: {
      method: method ?? "POST",
      url: target ?? (url === null ? `/webhooks/${source.name}` : path + query),
      headers,
      body: body ?? Buffer.alloc(0),
    },
  };
}

function printResult(
  { stdout }: Io,
  { reason, keyId }: Checked,
  findings: readonly Finding[],
): void {
  writeLine(
    stdout,
    reason === null
      ? keyId === undefined
        ? "handshake: answered without a signature"
        : `verified (key ${keyId})`
      : `not verified: ${reason}`,
  );
  for (const { isProven, says, fix } of findings) {
    // A finding quotes the message, which may have control characters.
    writeLine(stdout, `  ${isProven ? "found" : "likely"}: ${visible(says)}`);
    writeLine(stdout, `  fix: ${visible(fix)}`);
  }
}

async function readRequest(io: Io, options: Options): Promise<CapturedRequest> {
  const { header, request: file, body: bodyFile } = options;
  const body =
    bodyFile === undefined ? null : readInputFile("--body", bodyFile);
  if (header !== undefined) {
    return {
      ...parseHead(header),
      body: body ?? (await readAll(io.stdin, MAX_INPUT_BYTES)),
    };
  }
  const input =
    file === undefined
      ? await readAll(io.stdin, MAX_INPUT_BYTES)
      : readInputFile("--request", file);
  const request = parseRequest(input);
  if (body !== null) {
    if (request.body !== null && request.body.length > 0) {
      throw new UsageError(
        "the input has a body after the headers; leave it out, or leave out --body",
      );
    }
    return { ...request, body };
  }
  const { method } = request;
  if (request.body === null && method !== "GET" && method !== "HEAD") {
    throw new UsageError(
      "the input has no body; give its file with --body, or put an empty line and the body after the headers",
    );
  }
  return request;
}

function readInputFile(option: string, file: string): Buffer {
  try {
    if (statSync(file).size > MAX_INPUT_BYTES) {
      throw new UsageError(`the file is longer than ${MAX_INPUT_BYTES} bytes`);
    }
    return readFileSync(file);
  } catch (thrown) {
    throw new UsageError(`${option}: ${asError(thrown).message}`);
  }
}
