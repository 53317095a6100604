import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Request, Response } from "express";
import type { EntryFilter } from "../../audit/search/entry-filter.ts";
import {
  createTrailSearch,
  type FoundEntry,
} from "../../audit/search/search-trail.ts";
import type { AuditReader } from "../../store/port.ts";
import { AppError } from "../../errors.ts";
import { responseHeaders, writeHead } from "../response-head.ts";
import { connectionOf } from "../connection/connection.ts";

const EVENT_STREAM_HEADERS = responseHeaders({
  "content-type": "text/event-stream",
  // For nginx, which would otherwise buffer events until it has a block of them.
  "x-accel-buffering": "no",
});

/** Begins a response of server-sent events (https://html.spec.whatwg.org/#server-sent-events), which does not end by itself. */
function beginEventStream(res: Response): void {
  writeHead(res, 200, EVENT_STREAM_HEADERS);
  res.flushHeaders();
}

/** So many may look on at once. */
const MAX_STREAMS = 20;

const BATCH = 200;
const LOOK_EVERY_MS = 250;

/** So often something is sent, so that nothing between takes the connection for a dead one, in milliseconds. */
const ALIVE_EVERY_MS = 15_000;

/**
 * The trail as server-sent events, an entry each as it comes: `id` is its position, so that a client that was cut off goes
 * on where it was (`Last-Event-ID`), `data` its line. With `since` it begins there, else with what comes next. Whoever reads
 * slowly is waited for, and takes no more memory than one batch.
 */
export function createAuditStream(deps: {
  store: AuditReader;
  ending: AbortSignal;
}): (req: Request, res: Response, filter: EntryFilter) => Promise<void> {
  const { store, ending } = deps;
  let streams = 0;

  async function follow(
    res: Response,
    entries: AsyncGenerator<readonly FoundEntry[]>,
    over: AbortSignal,
  ): Promise<void> {
    beginEventStream(res);
    let aliveAt = Number.NEGATIVE_INFINITY;
    for await (const found of entries) {
      const text = found
        .map(({ row }) => `id: ${row.position}\ndata: ${row.line}\n\n`)
        .join("");
      const quiet = performance.now() - aliveAt >= ALIVE_EVERY_MS;
      if (text === "" && !quiet) {
        continue;
      }
      aliveAt = performance.now();
      if (!res.write(text === "" ? ": here\n\n" : text)) {
        // The listener ends a client that reads nothing.
        await once(res, "drain", { signal: over });
      }
    }
  }

  return async (req, res, filter) => {
    if (streams >= MAX_STREAMS) {
      throw new AppError("unavailable", "too_many_streams");
    }
    const search = await createTrailSearch(store, filter);
    const last = /^\d{1,15}$/.exec(req.get("last-event-id") ?? "")?.[0];
    const end = await store.lastPosition();
    const begin = filter.since === undefined ? end : search.begin;
    // Not the response's `close`: one that waits for others on its connection has none when that ends.
    const { ended } = connectionOf(req.socket);
    const over = AbortSignal.any([ended, ending]);
    streams += 1;
    try {
      // What is beyond the end is of another store, which was here before.
      const from = last === undefined ? begin : Math.min(Number(last), end);
      if (req.method !== "HEAD") {
        await follow(res, batches(store, search, from, over), over);
      } else {
        beginEventStream(res);
      }
    } catch (error) {
      if (res.headersSent) {
        // It left, or the service stops: the client comes again.
        res.destroy();
      } else {
        throw error;
      }
    } finally {
      streams -= 1;
      res.end();
    }
  };
}

/** What fits, batch by batch, for ever; an empty one every now and then while nothing comes. */
async function* batches(
  store: AuditReader,
  search: Awaited<ReturnType<typeof createTrailSearch>>,
  from: number,
  over: AbortSignal,
): AsyncGenerator<readonly FoundEntry[]> {
  let position = from;
  while (!over.aborted) {
    const rows = await store.readAudit(position, BATCH);
    position = rows.at(-1)?.position ?? position;
    yield search.among(rows);
    const wait = rows.length === BATCH ? 0 : LOOK_EVERY_MS;
    await delay(wait, undefined, { signal: over }).catch(() => undefined);
  }
}
