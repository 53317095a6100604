import { setTimeout as delay } from "node:timers/promises";
import { type Command, Option } from "commander";
import { parseEntry } from "../audit/entry.ts";
import { createEntryFilter } from "../audit/filter.ts";
import { prettyEntry } from "../audit/pretty.ts";
import { TERMINAL_WIDTH } from "../core/terminal-text.ts";
import { type AuditReader } from "../core/store.ts";
import { parseCount, parseSinceOption } from "./parse.ts";
import { print } from "./print.ts";
import { rowsOf, withReader } from "./reader.ts";

interface Options {
  follow?: true;
  since?: number;
  action?: string;
  result?: string;
  source?: string;
  lines?: number;
  json?: true;
}

/** How often a followed trail is looked at, in milliseconds. */
const FOLLOW_EVERY_MS = 200;

/** On a terminal, without being asked for more: about a screen. */
const SCREENFUL = 50;

export function addAuditTail(audit: Command): void {
  audit
    .command("tail")
    .description("show the audit trail from the store")
    .option("-f, --follow", "go on with new entries as they come")
    .option(
      "--since <when>",
      "15m, 2h, 3d ago, or an ISO time",
      parseSinceOption,
    )
    .option("--action <glob>", "such as webhook.rejected or 'webhook.*'")
    .addOption(
      new Option("--result <result>", "by result").choices([
        "success",
        "failure",
      ]),
    )
    .option("--source <name>", "of one source")
    .option(
      "-n, --lines <n>",
      `only the last n (default on a terminal without --since: ${SCREENFUL})`,
      parseCount,
    )
    .option("--json", "print the lines as they are stored")
    .action(async (options: Options) => {
      await withReader((trail) => tail(trail, options));
    });
}

async function tail(trail: AuditReader, options: Options): Promise<void> {
  const matches = createEntryFilter({
    since:
      options.since === undefined
        ? null
        : new Date(options.since).toISOString(),
    action: options.action ?? null,
    result: options.result ?? null,
    source: options.source ?? null,
  });
  const limit =
    options.lines ??
    (process.stdout.isTTY && options.since === undefined ? SCREENFUL : null);
  const look = { colours: process.stdout.isTTY, width: TERMINAL_WIDTH };
  const show = (line: string): string | null => {
    const entry = parseEntry(line);
    if (entry === null || !matches(entry)) {
      return null;
    }
    return options.json ? line : prettyEntry(entry, look);
  };

  let position = 0;
  const kept: string[] = [];
  for await (const row of rowsOf(trail)) {
    position = row.position;
    const shown = show(row.line);
    if (shown === null) {
      continue;
    }
    if (limit === null) {
      await print(shown);
    } else {
      kept.push(shown);
      if (kept.length > limit) {
        kept.shift();
      }
    }
  }
  for (const line of kept) {
    await print(line);
  }
  while (options.follow) {
    for await (const row of rowsOf(trail, position)) {
      position = row.position;
      const shown = show(row.line);
      if (shown !== null) {
        await print(shown);
      }
    }
    await delay(FOLLOW_EVERY_MS);
  }
}
