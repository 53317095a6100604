import { OTHER_SECRET, eventBody, signed } from "./fixtures.ts";

const HOUR_MS = 3_600_000;
/** One in this number of requests is hostile. */
const HOSTILE_EVERY = 12;
/** An attacker has copies of this number of accepted requests, the latest ones. */
const COPIED = 1000;

export interface TrafficRequest {
  readonly bytes: Buffer;
  /** The number of the new event in it; null = the request is hostile. */
  readonly event: number | null;
}

function requestBytes(body: Buffer, headers: Record<string, string>): Buffer {
  const lines = Object.entries({
    host: "127.0.0.1",
    "content-length": String(body.length),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `POST /webhooks/hex HTTP/1.1\r\n${lines.join("")}\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

/** Returns the id of an event by its number. */
export const eventId = (event: number): string => `evt_${event}`;

/** Creates the requests of a sender. Most are new events; the others include each kind that must be rejected. */
export function createMixedTraffic() {
  let made = 0;
  let events = 0;
  const copies: { bytes: Buffer; event: number }[] = [];
  let accepted = 0;
  const copy = () => copies[made % copies.length]!;

  const hostile: readonly (() => Buffer)[] = [
    // Forged.
    () => {
      const body = eventBody(`evt_forged_${made}`);
      return requestBytes(body, signed(body, { secret: OTHER_SECRET }));
    },
    // A replay, byte for byte.
    () => copy().bytes,
    // Authentic but too old.
    () => {
      const body = eventBody(`evt_old_${made}`);
      return requestBytes(body, signed(body, { at: Date.now() - HOUR_MS }));
    },
    // A known id with another body.
    () => {
      const body = eventBody(eventId(copy().event), "resource.changed");
      return requestBytes(body, signed(body));
    },
    // Not JSON.
    () => {
      const body = Buffer.from(`{"id":${made}`);
      return requestBytes(body, signed(body));
    },
    // No signature.
    () => requestBytes(eventBody(`evt_bare_${made}`), {}),
  ];

  function genuine(): TrafficRequest {
    const event = events;
    events += 1;
    const body = eventBody(eventId(event));
    const bytes = requestBytes(body, signed(body));
    return { bytes, event };
  }

  return {
    next(): TrafficRequest {
      made += 1;
      if (made % HOSTILE_EVERY !== 0 || copies.length === 0) {
        return genuine();
      }
      const make = hostile[(made / HOSTILE_EVERY) % hostile.length];
      return { bytes: make!(), event: null };
    },
    /** Records that a request was accepted, so that it may be replayed. */
    accepted({ bytes, event }: TrafficRequest): void {
      if (event !== null) {
        copies[accepted % COPIED] = { bytes, event };
        accepted += 1;
      }
    },
    /** Returns the number of events created. */
    events: () => events,
  };
}
