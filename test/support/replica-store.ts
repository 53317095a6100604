import { expect } from "@jest/globals";
import { type ParsedEntry, parseEntry } from "../../src/audit/parsed-entry.ts";
import { rowsOf } from "../../src/cli/store/reader.ts";
import { readVariables } from "../../src/config/load-config.ts";
import type { EventStatus } from "../../src/domain/event-status.ts";
import { openStoreReader } from "../../src/store/open.ts";
import type { StoreReader } from "../../src/store/port.ts";
import type { TestDestination } from "./destinations.ts";
import { eventually } from "./eventually.ts";
import { hexhook } from "./hexhook.ts";

const PAGE = 1000;

async function withStore<T>(
  databaseUrl: string,
  use: (store: StoreReader) => Promise<T>,
): Promise<T> {
  const { DATABASE_URL } = readVariables({ DATABASE_URL: databaseUrl }, [
    "DATABASE_URL",
  ]);
  const store = await openStoreReader(DATABASE_URL, { snapshot: true });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** Returns all events with their deliveries, oldest first. */
export const eventsIn = (databaseUrl: string): Promise<EventStatus[]> =>
  withStore(databaseUrl, async (store) => {
    const found: EventStatus[] = [];
    let from: number | null = null;
    do {
      const { events, next } = await store.scanEvents({
        filter: {
          state: null,
          destination: null,
          source: null,
          type: null,
          since: null,
          until: null,
        },
        order: "oldest",
        from,
        limit: PAGE,
      });
      found.push(...events);
      from = next;
    } while (from !== null);
    return found;
  });

/** Returns the lines of the trail in order. */
export const linesIn = (databaseUrl: string): Promise<string[]> =>
  withStore(databaseUrl, async (store) => {
    const lines: string[] = [];
    for await (const { line } of rowsOf(store)) {
      lines.push(line);
    }
    return lines;
  });

/** Returns the entries of the trail in order; `action`: only those with this action. */
export async function entriesIn(
  databaseUrl: string,
  action?: string,
): Promise<ParsedEntry[]> {
  const entries = (await linesIn(databaseUrl)).map((line) => parseEntry(line)!);
  return action === undefined
    ? entries
    : entries.filter((entry) => entry.action === action);
}

/** Expects that `audit verify` finds the trail of the database intact, and that it fits the stored events. */
export async function expectIntact(
  folder: string,
  databaseUrl: string,
): Promise<void> {
  const verified = await hexhook(["audit", "verify"], {
    cwd: folder,
    env: { DATABASE_URL: databaseUrl },
  });
  expect(verified).toMatchObject({ code: 0, stderr: "" });
}

/** Waits until each delivery of each stored event has succeeded. */
export const untilDelivered = (databaseUrl: string): Promise<unknown> =>
  eventually(async () =>
    (await eventsIn(databaseUrl)).every(({ deliveries }) =>
      deliveries.every(({ state }) => state === "succeeded"),
    ),
  );

/**
 * Expects that exactly the sent events are stored, once each, that each was delivered to the destination with its bytes, and
 * that the trail is intact with one entry for each of these facts. `attempts`: `one` = no event had a second attempt;
 * `distinct` = events may have several, but no attempt number is a duplicate.
 */
export async function expectNothingLost(options: {
  folder: string;
  databaseUrl: string;
  /** The bodies of all sent events, by the events' ids. */
  sent: ReadonlyMap<string, Buffer>;
  /** The ids of the events that a response has acknowledged. */
  acknowledged: readonly string[];
  destination: TestDestination;
  attempts: "one" | "distinct";
}): Promise<void> {
  const { folder, databaseUrl, sent, destination } = options;
  await eventually(() => new Set(destination.ids()).size >= sent.size);
  await untilDelivered(databaseUrl);
  const ids = [...sent.keys()].sort();
  const lost = new Set(options.acknowledged);
  const stored = (await eventsIn(databaseUrl)).map(({ id }) => id).sort();
  stored.forEach((id) => lost.delete(id));
  expect([...lost]).toEqual([]);
  expect(stored).toEqual(ids);

  const numbers = destination.attempts.map(({ headers, body }) => {
    const id = String(headers["webhook-id"]);
    expect(body.equals(sent.get(id)!)).toBe(true);
    return `${id} ${String(headers["x-hexhook-attempt"])}`;
  });
  const repeated = duplicatesOf(numbers);
  expect(repeated).toEqual([]);
  const reached = destination.ids().map(String);
  expect([...new Set(reached)].sort()).toEqual(ids);
  if (options.attempts === "one") {
    expect(reached.sort()).toEqual(ids);
  }

  await expectIntact(folder, databaseUrl);
  const entries = await entriesIn(databaseUrl);
  const idsOf = (wanted: string): string[] =>
    entries
      .filter(({ action }) => action === wanted)
      .map(({ metadata }) => String(metadata["eventId"]))
      .sort();
  expect(idsOf("webhook.accepted")).toEqual(ids);
  expect(idsOf("delivery.succeeded")).toEqual(ids);
}

function duplicatesOf(texts: readonly string[]): string[] {
  const seen = new Set<string>();
  return texts.filter((text) => {
    const isDuplicate = seen.has(text);
    seen.add(text);
    return isDuplicate;
  });
}
