import { eventBody, signed } from "./fixtures.ts";

/** The status of the response; null = the connection ended without one. */
export type Status = number | null;

/** An event of the sender, and what it got. */
export interface SentEvent {
  readonly id: string;
  readonly body: Buffer;
  /** Of the first request. */
  readonly headers: Record<string, string>;
  readonly statuses: Status[];
}

interface PostedRequest {
  readonly body: Buffer;
  readonly headers: Record<string, string>;
}

interface Response {
  readonly status: Status;
  readonly json: Readonly<Record<string, unknown>>;
}

/** How a sender repeats a request: with the very same bytes, or signed at a later second. */
export type Retry = "identical" | "signed-again";

export type EventSender = ReturnType<typeof createEventSender>;

/** Longer than the service may take for any response. A request that takes longer fails the test. */
const RESPONSE_LIMIT_MS = 60_000;

/** Sends events to a service or a load balancer, and remembers them with their responses. `name` begins the ids. */
export function createEventSender(url: string, name = "evt") {
  const events: SentEvent[] = [];
  let slowestMs = 0;

  async function post({ body, headers }: PostedRequest): Promise<Response> {
    const startedAt = performance.now();
    try {
      const response = await fetch(`${url}/webhooks/hex`, {
        method: "POST",
        headers,
        body: new Uint8Array(body),
        signal: AbortSignal.timeout(RESPONSE_LIMIT_MS),
      });
      const text = await response.text();
      const json = text === "" ? {} : (JSON.parse(text) as object);
      return { status: response.status, json: { ...json } };
    } catch (error) {
      if (error instanceof Error && error.name === "TimeoutError") {
        throw error;
      }
      return { status: null, json: {} };
    } finally {
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
    }
  }

  async function postEvent(
    event: SentEvent,
    headers: Record<string, string>,
  ): Promise<Response> {
    const response = await post({ body: event.body, headers });
    event.statuses.push(response.status);
    return response;
  }

  return {
    /** Sends any request, and does not remember it. */
    post,
    events: events as readonly SentEvent[],
    /** Sends a new event. */
    send: async (body = eventBody(`${name}_${events.length}`)) => {
      const { id } = JSON.parse(body.toString()) as { id: string };
      const event = { id, body, headers: signed(body), statuses: [] };
      events.push(event);
      return { event, ...(await postEvent(event, event.headers)) };
    },
    retry: (event: SentEvent, how: Retry) => {
      const later = Date.now() + 2000;
      return postEvent(
        event,
        how === "identical" ? event.headers : signed(event.body, { at: later }),
      );
    },
    /** Returns the events whose last response was not 200. */
    open: () => events.filter(({ statuses }) => statuses.at(-1) !== 200),
    /** Returns all sent bodies by the ids of their events, and the ids of the acknowledged events. */
    facts: () => ({
      sent: new Map(events.map(({ id, body }) => [id, body])),
      acknowledged: events
        .filter(({ statuses }) => statuses.includes(200))
        .map(({ id }) => id),
    }),
    /** The time of the slowest request, in milliseconds. */
    slowestMs: () => slowestMs,
  };
}
