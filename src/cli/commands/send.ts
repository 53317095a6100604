import type { Source } from "../../domain/source.ts";
import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import {
  loadSources,
  readEnvironment,
  readVariables,
} from "../../config/load-config.ts";
import { asError, EXIT, UsageError } from "../../errors.ts";
import { parseCount, parseTimestampOption } from "../options/parse.ts";
import { createProgressBar } from "../ui/progress-bar.ts";
import { readPrivateKey } from "../send/private-key.ts";
import {
  confirmedIdOf,
  type DeliveryResponse,
  send,
  signDelivery,
  verdictOf,
} from "../send/sender.ts";
import { tamper, type Tampering, TAMPERINGS } from "../send/tamper.ts";
import { type MessageOptions, testMessage } from "../send/test-message.ts";
import { requireSource } from "../source.ts";
import { type Io, writeLine } from "../io.ts";

interface Options {
  url?: string;
  source: string;
  type?: string;
  id?: string;
  data?: string;
  file?: string;
  sample?: true;
  contentType?: string;
  privateKey?: string;
  timestamp?: number;
  count: number;
  concurrency: number;
  tamper?: Tampering;
  repeat?: true;
  json?: true;
}

/** On a terminal, a run of more deliveries than this shows a progress bar and a summary instead of a line for each. */
const LONG_RUN = 20;

/** Maximum number of deliveries in flight at once, however large --concurrency is. */
const MAX_CONCURRENCY = 1000;

export function addSend(program: Command, io: Io): void {
  program
    .command("send")
    .description("sign and send test deliveries, and print the status of each")
    .option(
      "--url <url>",
      "the endpoint, or its base URL (default: http://127.0.0.1:PORT)",
    )
    .option("--source <name>", "the source to send as", "hex")
    .option(
      "--type <type>",
      "the event type (default: hexhook.test, or that of the sample)",
    )
    .option("--id <id>", "the event id (default: a new one for each delivery)")
    .option(
      "--sample",
      "send a realistic message of the sender; the default, except for the schemes hex and hex-body",
    )
    .option(
      "--data <json>",
      "the event data; an object with id and type is sent as the whole body, as is any data of a scheme other than hex and hex-body",
    )
    .option("--file <file>", "send the exact bytes of this file as the body")
    .option(
      "--content-type <type>",
      "the media type (default: that of the scheme's messages)",
    )
    .option(
      "--private-key <file>",
      "the key to sign with, in PEM, for schemes whose secret is a public key",
    )
    .option(
      "--timestamp <seconds>",
      "sign with this time, in unix seconds",
      parseTimestampOption,
    )
    .option("--count <n>", "number of deliveries", parseCount, 1)
    .option(
      "--concurrency <n>",
      "number of deliveries in flight at once",
      parseCount,
      1,
    )
    .addOption(
      new Option(
        "--tamper <part>",
        "change this part after signing; the expected status is then 401",
      ).choices(TAMPERINGS),
    )
    .option("--repeat", "send each delivery twice, the second time unchanged")
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      `
Exit status: 0 every response had the expected status, 1 a response had another.
The expected status is 2xx, or 401 with --tamper. With --repeat, the second
response may also be 409.`,
    )
    .action(async (options: Options) => {
      const { file, data, sample } = options;
      const bodies = [file, data, sample].filter((one) => one !== undefined);
      if (bodies.length > 1) {
        throw new UsageError(
          "--file, --data and --sample are different bodies: leave out all but one",
        );
      }
      const env = readEnvironment(io.env);
      const source = requireSource(loadSources(env), options.source);
      const { PORT: port } = readVariables(env, ["PORT"]);
      const url = endpointUrl(
        options.url ?? `http://127.0.0.1:${port}`,
        source,
      );
      const allExpected = await sendAll(io, url, source, options);
      io.setExitCode(allExpected ? EXIT.good : EXIT.checkFailed);
    });
}

function endpointUrl(base: string, source: Source): string {
  if (!URL.canParse(base) || !/^https?:/.test(base)) {
    throw new UsageError("--url must be an http:// or https:// URL");
  }
  const url = new URL(base);
  if (url.pathname === "/") {
    url.pathname = `/webhooks/${source.name}`;
  }
  return url.href;
}

async function sendAll(
  io: Io,
  url: string,
  source: Source,
  options: Options,
): Promise<boolean> {
  const { count, concurrency, json } = options;
  const privateKey =
    options.privateKey === undefined
      ? undefined
      : readPrivateKey(options.privateKey);
  const quiet = !json && count > LONG_RUN && io.stdout.isTTY;
  const bar = count > LONG_RUN ? createProgressBar(io, count) : null;
  const tally = new Map<string, number>();
  let next = 0;
  let allExpected = true;

  async function sendDelivery(n: number): Promise<void> {
    const at =
      options.timestamp === undefined ? Date.now() : options.timestamp * 1000;
    const message = testMessage(
      source.scheme,
      messageOptions(options, n),
      new Date(at),
    );
    const signed = signDelivery(source, message, { at, url, privateKey });
    const delivery =
      options.tamper === undefined
        ? signed
        : tamper(source.scheme, signed, options.tamper);
    for (const isRepeat of options.repeat ? [false, true] : [false]) {
      const response = await send(delivery);
      allExpected =
        isExpected(response, options.tamper !== undefined, isRepeat) &&
        allExpected;
      report(n, confirmedIdOf(response) ?? message.id, response);
    }
    bar?.advance();
  }

  function report(
    n: number,
    id: string | null,
    response: DeliveryResponse,
  ): void {
    const { status, durationMs } = response;
    const verdict = verdictOf(response);
    const key = verdict === "" ? String(status) : `${status} ${verdict}`;
    tally.set(key, (tally.get(key) ?? 0) + 1);
    if (json) {
      writeLine(
        io.stdout,
        JSON.stringify({ n, id, status, verdict, durationMs }),
      );
    } else if (!quiet) {
      const result =
        status === 0
          ? `no response (${verdict}): is the service running at ${url}?`
          : `${key} (${durationMs} ms)`;
      writeLine(
        io.stdout,
        [`${n}:`, ...(id === null ? [] : [id]), result].join(" "),
      );
    }
  }

  async function worker(): Promise<void> {
    while (next < count) {
      next += 1;
      await sendDelivery(next);
    }
  }

  await Promise.all(
    Array.from(
      { length: Math.min(concurrency, count, MAX_CONCURRENCY) },
      worker,
    ),
  );
  if (bar !== null) {
    bar.done();
    if (!json) {
      for (const [key, times] of tally) {
        writeLine(io.stdout, `${times} x ${key}`);
      }
    }
  }
  return allExpected;
}

function isExpected(
  { status }: DeliveryResponse,
  tampered: boolean,
  isRepeat: boolean,
): boolean {
  if (tampered) {
    return status === 401;
  }
  const accepted = status >= 200 && status < 300;
  return accepted || (isRepeat && status === 409);
}

/** Returns the options of the nth message. */
function messageOptions(options: Options, n: number): MessageOptions {
  const { id, file, count, type, data, contentType, sample } = options;
  return {
    ...(id === undefined ? {} : { id: count === 1 ? id : `${id}-${n}` }),
    ...(file === undefined ? {} : { body: readBody(file) }),
    ...(type === undefined ? {} : { type }),
    ...(data === undefined ? {} : { data }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(sample === undefined ? {} : { sample }),
  };
}

function readBody(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (thrown) {
    throw new UsageError(`--file: ${asError(thrown).message}`);
  }
}
