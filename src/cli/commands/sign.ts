import type { Command } from "commander";
import { loadSources, readEnvironment } from "../../config/load-config.ts";
import type { Source } from "../../domain/source.ts";
import { UsageError } from "../../errors.ts";
import type { SignedRequest } from "../../signature/sign.ts";
import { parseTimestampOption } from "../options/parse.ts";
import { readAll } from "../input/read-all.ts";
import { readPrivateKey } from "../send/private-key.ts";
import { signDelivery } from "../send/sender.ts";
import { testMessage } from "../send/test-message.ts";
import { requireSource } from "../source.ts";
import { type Io, writeLine } from "../io.ts";

interface Options {
  source: string;
  timestamp?: number;
  id?: string;
  type?: string;
  url?: string;
  contentType?: string;
  privateKey?: string;
  request?: true;
  json?: true;
}

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
    .option("--id <id>", "the event id, for schemes that have it in a header")
    .option(
      "--type <type>",
      "the event type, for schemes that have it in a header",
    )
    .option(
      "--url <url>",
      "the URL that is called, for schemes that sign it (default: publicUrl of the source)",
    )
    .option(
      "--content-type <type>",
      "the media type (default: that of the scheme's messages)",
    )
    .option(
      "--private-key <file>",
      "the key to sign with, in PEM, for schemes whose secret is a public key",
    )
    .option("--request", "print the whole request, with its body")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  $ hexhook sign < body.json
  x-hex-timestamp: …
  x-hex-signature: …
  $ hexhook sign --request < body.json | hexhook verify`,
    )
    .action((options: Options) => signInput(io, options));
}

async function signInput(io: Io, options: Options): Promise<void> {
  if (options.request && options.json) {
    throw new UsageError("--request and --json: leave out one of them");
  }
  const source = requireSource(
    loadSources(readEnvironment(io.env)),
    options.source,
  );
  const body = await readAll(io.stdin);
  const signed = signBody(source, body, options);
  if (options.request) {
    io.stdout.write(requestBytes(signed));
    return;
  }
  if (!signed.body.equals(body)) {
    throw new UsageError(
      `the scheme ${source.scheme.name} puts a value of its signature into the body; print the whole request with --request`,
    );
  }
  const headers = Object.entries(signed.headers).filter(
    ([name]) => name !== "content-type",
  );
  if (options.json) {
    writeLine(io.stdout, JSON.stringify(Object.fromEntries(headers)));
    return;
  }
  for (const [name, value] of headers) {
    writeLine(io.stdout, `${name}: ${value}`);
  }
}

function signBody(
  source: Source,
  body: Buffer,
  { id, type, contentType, ...options }: Options,
): SignedRequest {
  const at =
    options.timestamp === undefined ? Date.now() : options.timestamp * 1000;
  const message = testMessage(
    source.scheme,
    {
      body,
      ...(id === undefined ? {} : { id }),
      ...(type === undefined ? {} : { type }),
      ...(contentType === undefined ? {} : { contentType }),
    },
    new Date(at),
  );
  return signDelivery(source, message, {
    at,
    url:
      options.url ??
      source.publicUrl ??
      `http://localhost/webhooks/${source.name}`,
    privateKey:
      options.privateKey === undefined
        ? undefined
        : readPrivateKey(options.privateKey),
  });
}

/** Returns a request as it is sent over HTTP. */
function requestBytes({ url, headers, body }: SignedRequest): Buffer {
  const { host, pathname, search } = new URL(url);
  const lines = [
    `POST ${pathname}${search} HTTP/1.1`,
    `host: ${host}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body]);
}
