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
  // nginx would otherwise buffer the events.
  "x-accel-buffering": "no",
});

/** Starts a response of server-sent events (https://html.spec.whatwg.org/#server-sent-events). */
function beginEventStream(res: Response): void {
  writeHead(res, 200, EVENT_STREAM_HEADERS);
  res.flushHeaders();
}

/** Maximum number of streams at once. */
const MAX_STREAMS = 20;

const BATCH = 200;
const POLL_EVERY_MS = 250;

/** Maximum time without output, in milliseconds, so that no proxy closes the connection as idle. */
const KEEP_ALIVE_MS = 15_000;

/**
 * Creates the handler that sends the trail as server-sent events, one event for each new entry. `data` is the line of the
 * entry. `id` is its position, so a client that reconnects with `Last-Event-ID` continues after it. A stream starts at
 * `since`, or with the next new entry. A slow client delays only its own stream, and uses the memory of one batch.
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
    stopped: AbortSignal,
  ): Promise<void> {
    beginEventStream(res);
    let lastSentAt = Number.NEGATIVE_INFINITY;
    for await (const found of entries) {
      const text = found
        .map(({ row }) => `id: ${row.position}\ndata: ${row.line}\n\n`)
        .join("");
      const isIdle = performance.now() - lastSentAt >= KEEP_ALIVE_MS;
      if (text === "" && !isIdle) {
        continue;
      }
      lastSentAt = performance.now();
      if (!res.write(text === "" ? ": here\n\n" : text)) {
        // Without a timeout: the listener closes the connection of a client that reads nothing.
        await once(res, "drain", { signal: stopped });
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
    // Not the `close` event of the response: a response that waits for earlier ones on its connection emits none.
    const { ended } = connectionOf(req.socket);
    const stopped = AbortSignal.any([ended, ending]);
    streams += 1;
    try {
      // A position after the end comes from another store that was used before this one.
      const from = last === undefined ? begin : Math.min(Number(last), end);
      if (req.method !== "HEAD") {
        await follow(res, batches(store, search, from, stopped), stopped);
      } else {
        beginEventStream(res);
      }
    } catch (error) {
      if (res.headersSent) {
        // The client has disconnected, or the service stops. The client can reconnect.
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

/** Yields the entries that match, in batches, until `stopped` aborts. A batch is empty if there are no new entries. */
async function* batches(
  store: AuditReader,
  search: Awaited<ReturnType<typeof createTrailSearch>>,
  from: number,
  stopped: AbortSignal,
): AsyncGenerator<readonly FoundEntry[]> {
  let position = from;
  while (!stopped.aborted) {
    const rows = await store.readAudit(position, BATCH);
    position = rows.at(-1)?.position ?? position;
    yield search.among(rows);
    const wait = rows.length === BATCH ? 0 : POLL_EVERY_MS;
    await delay(wait, undefined, { signal: stopped }).catch(() => undefined);
  }
}
