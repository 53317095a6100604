import { beforeEach, describe, expect, it } from "@jest/globals";
import { once } from "node:events";
import { connect } from "node:net";
import { type ParsedEntry, parseEntry } from "../../src/audit/parsed-entry.ts";
import { eventBody, OTHER_SECRET, signed } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { hexhook } from "../support/hexhook.ts";
import { freePort } from "../support/processes.ts";

const TOKEN = "test-admin-token-0123456789abcdef";

let folder: ReturnType<typeof temporaryFolder>;
let service: TestService;

beforeEach(async () => {
  folder = temporaryFolder();
  service = await start();
});

async function start(): Promise<TestService> {
  return startTestService(folder.path, {
    env: { ADMIN_PORT: String(await freePort()), ADMIN_TOKEN: TOKEN },
  });
}

const url = (query: string): string =>
  `http://127.0.0.1:${service.adminPort}/api/audit${query}`;

const headers = { authorization: `Bearer ${TOKEN}` };

async function list(query: string): Promise<{
  status: number;
  text: string;
  entries: ParsedEntry[];
  next: string | null;
}> {
  const response = await fetch(url(query), { headers });
  const text = await response.text();
  const { entries = [], next = null } = JSON.parse(text) as {
    entries?: ParsedEntry[];
    next?: string | null;
  };
  return { status: response.status, text, entries, next };
}

async function post(id: string): Promise<void> {
  const body = eventBody(id);
  expect((await service.post(body)).status).toBe(200);
}

async function postForged(id: string): Promise<void> {
  const body = eventBody(id);
  await service.post(body, signed(body, { secret: OTHER_SECRET }));
}

describe("GET /api/audit", () => {
  it("returns entries newest first, page by page, exactly as the store has them", async () => {
    for (let n = 0; n < 7; n += 1) {
      await post(`evt_${n}`);
    }
    await eventually(
      async () => (await service.entries()).length === 2 + 7 * 2,
    );
    const found: ParsedEntry[] = [];
    let next: string | null = "";
    while (next !== null) {
      const cursor: string = next === "" ? "" : `&cursor=${next}`;
      const page = await list(`?limit=3${cursor}`);
      expect(page.entries.length).toBeLessThanOrEqual(3);
      found.push(...page.entries);
      next = page.next;
    }
    const entries = await service.entries();
    expect(found).toEqual(entries.toReversed());
    // A line is not serialized again, because its hash covers exactly these characters.
    const { text } = await list("?limit=1");
    const line = text.slice('{"entries":['.length, text.lastIndexOf("]"));
    expect(parseEntry(line)).toEqual(entries.at(-1));
  });

  it("accepts the filters of `audit tail` and returns the same entries", async () => {
    await postForged("evt_1");
    await post("evt_1");
    await post("evt_2");
    await eventually(
      async () =>
        (await service.entries()).filter(
          ({ action }) => action === "delivery.succeeded",
        ).length === 2,
    );
    const cases: [string, string[], string[]][] = [
      [
        "?event=evt_1",
        ["--event", "evt_1"],
        ["delivery.succeeded", "webhook.accepted"],
      ],
      [
        "?event=hex/evt_1&action=webhook.*",
        ["--event", "hex/evt_1", "--action", "webhook.*"],
        ["webhook.accepted"],
      ],
      ["?result=failure", ["--result", "failure"], ["webhook.rejected"]],
      [
        "?source=hex&action=*ed&since=1h",
        ["--source", "hex", "--action", "*ed", "--since", "1h"],
        [
          "delivery.succeeded",
          "webhook.accepted",
          "delivery.succeeded",
          "webhook.accepted",
          "webhook.rejected",
        ],
      ],
      ["?source=github", ["--source", "github"], []],
      ["?until=2h", ["--until", "2h"], []],
      [
        "?until=0s&action=webhook.accepted&event=evt_2",
        ["--until", "0s", "--action", "webhook.accepted", "--event", "evt_2"],
        ["webhook.accepted"],
      ],
    ];
    for (const [query, options, expected] of cases) {
      const { entries, next } = await list(query);
      expect(entries.map(({ action }) => action)).toEqual(expected);
      expect(next).toBeNull();
      const tail = await hexhook(["audit", "tail", "--json", ...options], {
        cwd: folder.path,
        env: { DATABASE_URL: "sqlite:hexhook.db" },
      });
      expect(
        tail.stdout
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => parseEntry(line)),
      ).toEqual(entries.toReversed());
    }
  });

  it.each([
    "?since=yesterday",
    "?since=2026-02-30",
    "?until=tomorrow",
    "?result=maybe",
    "?limit=0",
    "?limit=1001",
    "?cursor=x",
    "?colour=red",
    "?action=webhook.rejectd",
    "?action=a&action=b",
  ])("rejects %s with 400 and a detail", async (query) => {
    const { status, text } = await list(query);
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({
      code: "bad_request",
      detail: expect.stringMatching(/.+/),
    });
  });

  it("requires the token", async () => {
    for (const place of ["", "/stream"]) {
      const response = await fetch(url(place));
      expect(response.status).toBe(401);
      await response.text();
    }
  });
});

interface Stream {
  readonly events: { readonly id: string; readonly entry: ParsedEntry }[];
  readonly ended: Promise<unknown>;
  stop(): void;
}

/** Reads a stream of server-sent events as they arrive. */
async function follow(
  query: string,
  extra: Record<string, string> = {},
): Promise<Stream> {
  const abort = new AbortController();
  const response = await fetch(url(query), {
    headers: { ...headers, ...extra },
    signal: abort.signal,
  });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const events: Stream["events"] = [];
  const read = async (): Promise<void> => {
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const [, id, line] = /^id: (\d+)\ndata: (.*)$/.exec(block) ?? [];
        if (id !== undefined) {
          events.push({ id, entry: parseEntry(line!)! });
        }
      }
    }
  };
  return {
    events,
    ended: read().catch((error: unknown) => error),
    stop: () => {
      abort.abort();
    },
  };
}

describe("the live stream of the trail", () => {
  it("sends new matching entries, resumes after a disconnect, and ends when the service stops", async () => {
    await post("evt_before");
    const first = await follow("/stream?action=webhook.accepted");
    await post("evt_1");
    await eventually(() => first.events.length === 1);
    first.stop();
    await first.ended;
    await post("evt_2");
    const again = await follow("?action=webhook.accepted", {
      accept: "text/event-stream",
      "last-event-id": first.events[0]!.id,
    });
    await eventually(() => again.events.length === 1);
    await post("evt_3");
    await eventually(() => again.events.length === 2);
    const ids = [...first.events, ...again.events].map(
      ({ entry }) => entry.metadata["eventId"],
    );
    expect(ids).toEqual(["evt_1", "evt_2", "evt_3"]);
    await service.stop();
    await again.ended;
  });

  it("starts with the next entry after a disconnect from another store", async () => {
    const stream = await follow("/stream?action=webhook.accepted", {
      "last-event-id": "999999999999999",
    });
    await post("evt_1");
    await eventually(() => stream.events.length > 0);
    expect(stream.events[0]!.entry.metadata["eventId"]).toBe("evt_1");
    stream.stop();
    await stream.ended;
  });

  it("starts with earlier entries if since is given", async () => {
    await post("evt_1");
    const stream = await follow("/stream?since=1h&event=evt_1");
    await eventually(() => stream.events.length >= 1);
    expect(stream.events[0]!.entry.metadata["eventId"]).toBe("evt_1");
    stream.stop();
    await stream.ended;
  });

  it("accepts twenty clients, and another one when a client leaves", async () => {
    const streams = await Promise.all(
      Array.from({ length: 20 }, () => follow("/stream")),
    );
    expect((await list("/stream")).status).toBe(503);
    streams[0]!.stop();
    await streams[0]!.ended;
    await eventually(async () => {
      const probe = new AbortController();
      const response = await fetch(url("/stream"), {
        headers,
        signal: probe.signal,
      });
      probe.abort();
      return response.status === 200;
    });
    for (const stream of streams) {
      stream.stop();
      await stream.ended;
    }
  });

  it("frees the places of all requests of a connection, however it ends", async () => {
    const ask = `GET /api/audit/stream HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`;
    for (let round = 0; round < 3; round += 1) {
      const socket = connect(service.adminPort ?? 0, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write(ask.repeat(10));
      await once(socket, "data");
      socket.resetAndDestroy();
    }
    const streams = await Promise.all(
      Array.from({ length: 15 }, () =>
        eventually(() => follow("/stream").catch(() => null)),
      ),
    );
    expect(streams).toHaveLength(15);
    for (const stream of streams) {
      stream.stop();
      await stream.ended;
    }
  });

  it("waits for a stuck reader without delaying the service", async () => {
    const socket = connect(service.adminPort!, "127.0.0.1");
    socket.on("error", () => undefined);
    const begun = once(socket, "data");
    socket.write(
      `GET /api/audit/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`,
    );
    const [head] = (await begun) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    socket.pause();
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(
        Array.from({ length: 50 }, (_, n) => post(`evt_${round}_${n}`)),
      );
    }
    await service.stop();
    socket.destroy();
    // Deliveries that the shutdown interrupted have no entry yet. Accepted events have one.
    const accepted = (await service.entries()).filter(
      ({ action }) => action === "webhook.accepted",
    );
    expect(accepted).toHaveLength(1000);
  });
});
