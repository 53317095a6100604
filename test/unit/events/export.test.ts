import { expect, it } from "@jest/globals";
import type { EventStatus } from "../../../src/domain/event-status.ts";
import { createEventFilter } from "../../../src/events/event-filter.ts";
import { countEvents, exportEvents } from "../../../src/events/export.ts";
import type { EventReader } from "../../../src/store/port.ts";

const FILTER = createEventFilter({});

/** A reader of 1000 events, which counts how many bodies it has read. Two sources have each id. */
function readerOf(options: { deleted?: number } = {}) {
  const events = Array.from({ length: 1000 }, (_, n): EventStatus => ({
    seq: n + 1,
    source: n % 2 === 0 ? "a" : "b",
    id: `evt_${Math.floor(n / 2)}`,
    type: "t",
    receivedAt: n,
    bodyBytes: 2,
    deliveries: [],
  }));
  let bodies = 0;
  const reader: EventReader = {
    scanEvents: async ({ from, limit }) => {
      const start = from ?? 0;
      const step = events.slice(start, start + limit);
      const next = start + step.length;
      return { events: step, next: next < events.length ? next : null };
    },
    findEvents: async (id) =>
      events
        .filter((event) => event.id === id)
        .map((event) => ({
          ...event,
          deliveries: [],
          contentType: "",
          headers: {},
          bodySha256: "",
        })),
    readBody: async (seq) => {
      bodies += 1;
      return seq === options.deleted ? null : Buffer.from(String(seq));
    },
  };
  return { reader, bodies: () => bodies };
}

it("reads a body only when it is asked for the next event", async () => {
  const { reader, bodies } = readerOf();
  const exported = exportEvents(reader, FILTER, 1000);
  expect(bodies()).toBe(0);
  await exported.next();
  await exported.next();
  expect(bodies()).toBe(2);
});

it("exports each event once in order, also if several sources have its id", async () => {
  const { reader } = readerOf();
  const seqs: number[] = [];
  for await (const { event, body } of exportEvents(reader, FILTER, 1000)) {
    expect(body.toString()).toBe(String(event.seq));
    seqs.push(event.seq);
  }
  expect(seqs).toEqual(Array.from({ length: 1000 }, (_, n) => n + 1));
});

it("leaves out an event that is deleted in the meantime, and never exceeds its limit", async () => {
  const { reader, bodies } = readerOf({ deleted: 2 });
  const seqs: number[] = [];
  for await (const { event } of exportEvents(reader, FILTER, 3)) {
    seqs.push(event.seq);
  }
  expect(seqs).toEqual([1, 3, 4]);
  expect(bodies()).toBe(4);
});

it("counts no further than its limit", async () => {
  const { reader } = readerOf();
  expect(await countEvents(reader, FILTER, Infinity)).toBe(1000);
  expect(await countEvents(reader, FILTER, 1000)).toBe(1000);
  expect(await countEvents(reader, FILTER, 7)).toBe(7);
});
