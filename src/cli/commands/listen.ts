import type { Command } from "commander";
import type { AuditDraft } from "../../audit/entry.ts";
import type { NewEvent } from "../../domain/event.ts";
import type { Source } from "../../domain/source.ts";
import {
  type Environment,
  loadSources,
  readEnvironment,
  readVariables,
} from "../../config/load-config.ts";
import { ConfigError, EXIT, UsageError } from "../../errors.ts";
import { asciiJson } from "../../json/ascii.ts";
import { displayOf } from "../../terminal/display.ts";
import { shown, shownTime } from "../../terminal/terminal-text.ts";
import { createForwarder, type Forwarder } from "../listen/forward.ts";
import type { Received } from "../listen/received.ts";
import { receivedFields, receivedText } from "../listen/received-text.ts";
import { onSignal } from "../on-signal.ts";
import { parsePort } from "../options/parse.ts";
import {
  secretOfText,
  secretVariableOf,
  sourceOfScheme,
} from "../scheme-source.ts";
import { type Io, writeLine } from "../io.ts";
import { note, print } from "../ui/print.ts";

interface Options {
  scheme?: string;
  forward?: string;
  host: string;
  port?: number;
  url?: string;
  json?: true;
}

export function addListen(program: Command, io: Io): void {
  program
    .command("listen")
    .description(
      "for development: receive deliveries, show each, and forward them",
    )
    .option(
      "--scheme <name>",
      "receive one sender with this signature scheme, without a configuration file (default: the configured sources)",
    )
    .option("--forward <url>", "send each new event to this URL")
    .option("--host <host>", "listen on this address", "127.0.0.1")
    .option(
      "--port <port>",
      "listen on this port (default: PORT, or 3000)",
      parsePort,
    )
    .option(
      "--url <url>",
      "with --scheme: the public URL that the sender calls, for schemes that sign it",
    )
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      `
The secret for --scheme is read from SCHEME_SECRET, such as GITHUB_SECRET, or
from the file in SCHEME_SECRET_FILE. Nothing is stored. Ctrl-C ends it.
Example:
  $ hexhook listen --scheme github --forward http://localhost:8080/hooks
Exit status: 0 ended by a signal, 78 wrong configuration.`,
    )
    .action((options: Options) => listenFor(io, options));
}

async function listenFor(io: Io, options: Options): Promise<void> {
  const env = readEnvironment(io.env);
  const { PORT, TRUST_PROXY: trustProxy } = readVariables(env, [
    "PORT",
    "TRUST_PROXY",
  ]);
  const port = options.port ?? PORT;
  const base = `http://${options.host}:${port}`;
  let sources = sourcesFor(env, options, base);
  const forwarder = forwarderFor(env, options);
  const ended = endOf(io);

  // Imported here: other commands start faster without Express.
  const { startReceiver } = await import("../listen/receiver.ts");
  const forwards = new Set<Promise<void>>();
  let count = 0;
  const listener = await startReceiver(
    {
      host: options.host,
      port,
      variable: options.port === undefined ? "PORT" : "--port",
    },
    {
      sources: () => sources,
      trustProxy,
      stderr: io.stderr,
      onError: (error) => {
        note(io, `a request failed: ${String(error)}`);
      },
      onRejected: (draft) => showRejected(io, options, draft),
      async onReceived(received, event) {
        count += 1;
        sources = withIssuedSecret(sources, received);
        await showReceived(io, options, received);
        if (event !== null && forwarder !== null) {
          const forward = forwardOne(io, options, {
            forwarder,
            n: received.n,
            event,
          }).finally(() => forwards.delete(forward));
          forwards.add(forward);
        }
      },
    },
  );
  for (const { name } of sources) {
    writeLine(
      io.stderr,
      `Listening on http://${options.host}:${listener.port}/webhooks/${name}`,
    );
  }
  await ended;
  const closed = listener.close();
  listener.destroy();
  forwarder?.close();
  await Promise.all([closed, ...forwards]);
  writeLine(
    io.stderr,
    `Received ${count} ${count === 1 ? "request" : "requests"}.`,
  );
  io.setExitCode(EXIT.good);
}

/** Resolves at the first SIGINT or SIGTERM. */
function endOf({ signals }: Io): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      onSignal(signals, signal, () => {
        resolve();
      });
    }
  });
}

function sourcesFor(
  env: Environment,
  { scheme, url }: Options,
  base: string,
): readonly Source[] {
  if (scheme === undefined) {
    if (url !== undefined) {
      throw new UsageError(
        "--url belongs to --scheme; for a configured source, set publicUrl",
      );
    }
    return loadSources(env);
  }
  const source = sourceOfScheme(env, scheme);
  if (source.secrets.length === 0 && !issuesSecret(source)) {
    const variable = secretVariableOf(scheme);
    throw new ConfigError([
      `${variable}: is not set; set it to the secret that the sender shows for its webhook, or name its file in ${variable}_FILE`,
    ]);
  }
  return [{ ...source, publicUrl: endpointUrl(url ?? base, source.name) }];
}

/** Whether the sender sends the secret itself, after its endpoint was registered. */
function issuesSecret({ scheme }: Source): boolean {
  return scheme.handshake === "notion";
}

/** Takes the secret that a sender has just issued, if it has none yet. */
function withIssuedSecret(
  sources: readonly Source[],
  { source: name, verificationToken: token }: Received,
): readonly Source[] {
  return sources.map((source) =>
    source.name === name && token !== null && source.secrets.length === 0
      ? { ...source, secrets: issuedSecrets(source, token) }
      : source,
  );
}

function issuedSecrets(
  { scheme, secrets }: Source,
  token: string,
): Source["secrets"] {
  try {
    return [secretOfText(scheme, "verification_token", token)];
  } catch (thrown) {
    if (thrown instanceof ConfigError) {
      return secrets;
    }
    throw thrown;
  }
}

/** Returns the URL of an endpoint, from itself or from the base before `/webhooks/`. */
function endpointUrl(text: string, source: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    throw new UsageError("--url must be an http:// or https:// URL");
  }
  return new URL(text).pathname === "/"
    ? `${text.replace(/\/$/, "")}/webhooks/${source}`
    : text;
}

function forwarderFor(
  env: Environment,
  { forward: url }: Options,
): Forwarder | null {
  if (url === undefined) {
    return null;
  }
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new UsageError("--forward must be an http:// or https:// URL");
  }
  const values = readVariables(env, ["FORWARD_SECRET", "ATTEMPT_TIMEOUT"]);
  return createForwarder({
    url,
    secret: values.FORWARD_SECRET,
    timeoutMs: values.ATTEMPT_TIMEOUT,
  });
}

async function showReceived(
  io: Io,
  { json }: Options,
  received: Received,
): Promise<void> {
  const { colours, width } = displayOf(io.stdout, io.env);
  await print(
    io.stdout,
    json
      ? asciiJson(receivedFields(received))
      : `${receivedText(received, { colours, width: width() })}\n`,
  );
}

/** Shows a request that was rejected before a source got it. */
async function showRejected(
  io: Io,
  { json }: Options,
  { at, resource, metadata }: AuditDraft,
): Promise<void> {
  const { method, status, reason, ip } = metadata;
  const path = resource;
  await print(
    io.stdout,
    json
      ? asciiJson({
          at: new Date(at).toISOString(),
          verdict: reason,
          isGood: false,
          method,
          path,
          ip,
          status,
        })
      : [
          shownTime(at),
          "FAIL",
          shown(reason),
          ...(method === undefined ? [] : [shown(method)]),
          shown(path),
          shown(status),
        ].join(" "),
  );
}

async function forwardOne(
  io: Io,
  { json }: Options,
  { forwarder, n, event }: { forwarder: Forwarder; n: number; event: NewEvent },
): Promise<void> {
  const { ok, text } = await forwarder.forward(event);
  await print(
    io.stdout,
    json ? asciiJson({ n, forwarded: ok, text }) : `#${n} ${shown(text)}`,
  );
}
