import { setTimeout as delay } from "node:timers/promises";
import { type Command, Option } from "commander";
import { formatEntry } from "../../audit/format-entry.ts";
import { type EntryFilter, RESULTS } from "../../audit/search/entry-filter.ts";
import {
  createTrailSearch,
  type FoundEntry,
  type TrailSearch,
} from "../../audit/search/search-trail.ts";
import { UsageError } from "../../errors.ts";
import { displayOf } from "../../terminal/display.ts";
import type { AuditReader } from "../../store/port.ts";
import {
  parseActionOption,
  parseCount,
  parseSinceOption,
} from "../options/parse.ts";
import { note, print } from "../ui/print.ts";
import { rowsOf, withReader } from "../store/reader.ts";
import type { Io } from "../io.ts";

interface Options extends EntryFilter {
  follow?: true;
  lines?: number;
  json?: true;
}

/** How often --follow reads the trail, in milliseconds. */
const FOLLOW_EVERY_MS = 200;

/** Number of entries that a terminal shows by default. */
const SCREENFUL = 50;

const STEP = 1000;

export function addAuditTail(audit: Command, io: Io): void {
  audit
    .command("tail")
    .description("show the audit trail of the store")
    .option("-f, --follow", "keep printing new entries")
    .option(
      "--since <when>",
      "only entries since then: 15m, 2h or 3d ago, or a UTC time such as 2026-11-23T18:00:00Z",
      parseSinceOption,
    )
    .option(
      "--until <when>",
      "only entries until then, in the same forms",
      parseSinceOption,
    )
    .option(
      "--action <glob>",
      "only entries with this action, such as webhook.rejected or 'webhook.*'",
      parseActionOption,
    )
    .addOption(
      new Option("--result <result>", "only entries with this result").choices(
        RESULTS,
      ),
    )
    .option("--source <name>", "only entries of this source")
    .option("--event <id>", "only entries of this event: its id, or SOURCE/ID")
    .option(
      "-n, --lines <n>",
      `only the last n entries (default on a terminal: ${SCREENFUL}, unless --since or --event is given)`,
      parseCount,
    )
    .option("--json", "print the lines as they are stored")
    .action(async (options: Options) => {
      if (options.follow && options.until !== undefined) {
        throw new UsageError("--follow never ends: leave out --until");
      }
      await withReader(io, (trail) => tail(io, trail, options));
    });
}

async function tail(
  io: Io,
  trail: AuditReader,
  options: Options,
): Promise<void> {
  const { since, event, lines, json } = options;
  const search = await createTrailSearch(trail, options);
  const { colours, width } = displayOf(io.stdout, io.env);
  const show = ({ row, entry }: FoundEntry): Promise<void> =>
    print(
      io.stdout,
      json ? row.line : formatEntry(entry, { colours, width: width() }),
    );
  const screenful =
    io.stdout.isTTY && since === undefined && event === undefined;
  const limit = lines ?? (screenful ? SCREENFUL : null);

  let position = await trail.lastPosition();
  let some = false;
  const shown =
    limit === null ? allOf(search) : await lastOf(search, limit, position);
  for await (const found of shown) {
    await show(found);
    some = true;
    position = Math.max(position, found.row.position);
  }
  if (!some && !options.follow) {
    await reportNoMatch(io, trail, options);
  }
  while (options.follow) {
    for await (const row of rowsOf(trail, position)) {
      position = row.position;
      for (const found of search.among([row])) {
        await show(found);
      }
    }
    await delay(FOLLOW_EVERY_MS);
  }
}

/** Reports on stderr that no entry matches, so that stdout stays empty. */
async function reportNoMatch(
  io: Io,
  trail: AuditReader,
  { event }: Options,
): Promise<void> {
  const hint =
    event === undefined
      ? ""
      : "; entries of unverified requests have no event id: search with --result failure";
  note(
    io,
    (await trail.lastPosition()) === 0
      ? "the audit trail is empty"
      : `no entry matches${hint}`,
  );
}

async function* allOf(search: TrailSearch): AsyncGenerator<FoundEntry> {
  let from: number | null = 0;
  while (from !== null) {
    const step: Awaited<ReturnType<TrailSearch["step"]>> = await search.step({
      order: "oldest",
      from,
      limit: STEP,
    });
    yield* step.found;
    from = step.next;
  }
}

/** Returns the last `limit` entries up to a position, oldest first. */
async function lastOf(
  search: TrailSearch,
  limit: number,
  position: number,
): Promise<FoundEntry[]> {
  const newestFirst: FoundEntry[] = [];
  let from: number | null = position + 1;
  while (from !== null && newestFirst.length < limit) {
    const step: Awaited<ReturnType<TrailSearch["step"]>> = await search.step({
      order: "newest",
      from,
      limit: Math.min(STEP, limit - newestFirst.length),
    });
    newestFirst.push(...step.found);
    from = step.next;
  }
  return newestFirst.reverse();
}
