import { beforeAll, describe, expect, it } from "@jest/globals";
import path from "node:path";
import { exchangeRaw } from "../support/exchange-raw.ts";
import { eventBody, OTHER_SECRET, signed } from "../support/fixtures.ts";
import { freePort } from "../support/processes.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { openFile } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** The headers of every response, whether the app, the endpoint or the connection sends it. */
const SECURITY_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none';frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "strict-transport-security": "max-age=31536000; includeSubDomains",
  "x-content-type-options": "nosniff",
  "x-frame-options": "SAMEORIGIN",
};

/** Further headers that a response may have. */
const FURTHER = new Set([
  "allow",
  "connection",
  "content-length",
  "content-type",
  "date",
  "keep-alive",
  "retry-after",
  "transfer-encoding",
  "www-authenticate",
  "x-accel-buffering",
]);

const TOKEN = "test-admin-token-0123456789abcdef";
const NOW = Date.now();

let service: TestService;

beforeAll(async () => {
  service = await startTestService(temporaryFolder().path, {
    env: {
      ADMIN_PORT: String(await freePort()),
      ADMIN_TOKEN: TOKEN,
      MAX_BODY_BYTES: "2000",
    },
    deps: {
      // The clock stands still, so the rate limiter regains no tokens.
      now: () => NOW,
      limits: {
        headersTimeout: 300,
        requestTimeout: 600,
        checkingInterval: 50,
      },
    },
  });
});

interface RawResponse {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** Returns the first response in the text of a connection. Throws if it has a duplicate header. */
function parseResponse(text: string): RawResponse {
  const end = text.indexOf("\r\n\r\n");
  const [start = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    expect(headers).not.toHaveProperty([name]);
    headers[name] = line.slice(colon + 1).trim();
  }
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(start)?.[1]);
  return { status, headers, body: text.slice(end + 4) };
}

const isWhole = (text: string): boolean => {
  const head = /^HTTP\/1\.1 \d{3} .*?\r\n\r\n/s.exec(text)?.[0];
  const length = Number(/content-length: (\d+)/i.exec(head ?? "")?.[1]);
  return head !== undefined && text.length >= head.length + length;
};

async function ask(
  port: number,
  bytes: string | Buffer,
  enough = isWhole,
): Promise<RawResponse> {
  return parseResponse(await exchangeRaw(port, bytes, enough));
}

function expectSecurityHeaders({ headers }: RawResponse): void {
  expect(headers).toMatchObject(SECURITY_HEADERS);
  const others = Object.keys(headers).filter(
    (name) => !FURTHER.has(name) && !(name in SECURITY_HEADERS),
  );
  expect(others).toEqual([]);
}

function expectProblem(
  response: RawResponse,
  status: number,
  code: string,
): void {
  expect(response.status).toBe(status);
  expectSecurityHeaders(response);
  expect(response.headers["content-type"]).toBe("application/problem+json");
  const problem = JSON.parse(response.body) as object;
  expect(problem).toEqual({
    title: expect.stringMatching(/.+/),
    status,
    code,
  });
  expect(response.headers["content-length"]).toBe(
    String(Buffer.byteLength(response.body)),
  );
}

/** Returns the bytes of a request with the given head. */
function request(
  line: string,
  headers: Record<string, string> = {},
  body: Buffer | string = "",
): Buffer {
  const all = { host: "h", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return Buffer.concat([
    Buffer.from([`${line} HTTP/1.1`, ...lines, "", ""].join("\r\n"), "latin1"),
    Buffer.from(body),
  ]);
}

const post = (
  body: Buffer,
  headers: Record<string, string> = signed(body, { at: NOW }),
): Buffer =>
  request(
    "POST /webhooks/hex",
    { "content-length": String(body.length), ...headers },
    body,
  );

const JSON_TYPE = { "content-type": "application/json" };

describe("a problem of the endpoint", () => {
  const body = eventBody("evt_x");

  it.each<[number, string, Buffer | string]>([
    [400, "bad_request", request("POST /webhooks/hex", { Host: "i" })],
    [400, "bad_request", "nonsense\r\n\r\n"],
    [400, "bad_request", "CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n"],
    [400, "malformed_payload", post(Buffer.from("[]"))],
    [401, "unauthorized", post(body, JSON_TYPE)],
    [
      401,
      "unauthorized",
      post(body, signed(body, { secret: OTHER_SECRET, at: NOW })),
    ],
    [401, "unauthorized", post(body, signed(body, { at: NOW - 400_000 }))],
    [404, "not_found", request("GET /")],
    [404, "not_found", request("POST /webhooks/other")],
    [405, "method_not_allowed", request("GET /webhooks/hex")],
    [405, "method_not_allowed", request("POST /readyz")],
    [408, "request_timeout", "POST /webhooks/hex HTTP/1.1\r\nhost: h\r\n"],
    [
      408,
      "request_timeout",
      request(
        "POST /webhooks/hex",
        { ...JSON_TYPE, "content-length": "9" },
        "{",
      ),
    ],
    [
      413,
      "payload_too_large",
      request("POST /webhooks/hex", {
        ...JSON_TYPE,
        "content-length": "2001",
      }),
    ],
    [
      413,
      "payload_too_large",
      request("POST /webhooks/hex", {
        ...JSON_TYPE,
        "content-length": "2001",
        expect: "100-continue",
      }),
    ],
    [
      413,
      "payload_too_large",
      request(
        "POST /webhooks/hex",
        { ...JSON_TYPE, "transfer-encoding": "chunked" },
        `7d1\r\n${"x".repeat(2001)}\r\n`,
      ),
    ],
    [415, "unsupported_media_type", post(body, { "content-type": "text/xml" })],
    [431, "headers_too_large", request("GET /", { a: "x".repeat(20_000) })],
    [
      431,
      "headers_too_large",
      Buffer.from(`GET / HTTP/1.1\r\nhost: h\r\n${"a: 1\r\n".repeat(101)}\r\n`),
    ],
  ])("%i %s has the common headers (case %#)", async (status, code, bytes) => {
    expectProblem(await ask(service.port, bytes), status, code);
  });

  it("409 has the common headers, for a replay and for a conflict", async () => {
    const first = post(eventBody("evt_409"));
    expect((await ask(service.port, first)).status).toBe(200);
    expectProblem(await ask(service.port, first), 409, "replayed");
    const other = post(eventBody("evt_409", "resource.deleted"));
    expectProblem(await ask(service.port, other), 409, "event_id_conflict");
  });

  it("405 has an Allow header, and no body for HEAD", async () => {
    const bytes = request("HEAD /webhooks/hex");
    const response = await ask(service.port, bytes, (text) =>
      text.endsWith("\r\n\r\n"),
    );
    expect(response).toMatchObject({
      status: 405,
      headers: { allow: "POST", "content-type": "application/problem+json" },
      body: "",
    });
    expectSecurityHeaders(response);
  });
});

describe("429 and 503", () => {
  it("have a Retry-After header and the common headers", async () => {
    const folder = temporaryFolder().path;
    let monotonic = 0;
    const one = await startTestService(folder, {
      deps: { now: () => NOW, monotonic: () => monotonic },
    });
    const rejected = request("GET /nowhere");
    const statuses = await exchangeRaw(
      one.port,
      Buffer.concat(Array.from({ length: 601 }, () => rejected)),
      (text) => text.includes("HTTP/1.1 429 ") && text.endsWith("}"),
    );
    expect(statuses.match(/HTTP\/1\.1 404 /g)).toHaveLength(600);
    const limited = await ask(one.port, rejected);
    expectProblem(limited, 429, "too_many_requests");
    expect(limited.headers["retry-after"]).toBe("10");
    const unread = await ask(one.port, "nonsense\r\n\r\n");
    expectProblem(unread, 429, "too_many_requests");
    expect(unread.headers["retry-after"]).toBe("10");

    const db = openFile(path.join(folder, "hexhook.db"));
    db.exec(
      "CREATE TRIGGER t BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    // The trail is not as the service has written it, so the service is not ready.
    const zeros = "0".repeat(64);
    db.prepare<[string]>("UPDATE audit_writer SET hash = ?").run(zeros);
    db.close();
    // The result of the check at the start is reused for a second.
    monotonic += 1000;
    for (const bytes of [post(eventBody("evt_503")), request("GET /readyz")]) {
      const unavailable = await ask(one.port, bytes);
      expectProblem(unavailable, 503, "unavailable");
      expect(unavailable.headers["retry-after"]).toBe("5");
    }
  });
});

describe("a successful response", () => {
  it("is JSON with the common headers, from the endpoint and from the health checks", async () => {
    for (const bytes of [
      post(eventBody("evt_200")),
      request("GET /livez"),
      request("GET /readyz"),
    ]) {
      const response = await ask(service.port, bytes);
      expect(response.status).toBe(200);
      expectSecurityHeaders(response);
      expect(response.headers["content-type"]).toBe("application/json");
    }
  });
});

describe("the management listener", () => {
  const authorization = `Bearer ${TOKEN}`;

  it.each([
    [401, "unauthorized", request("GET /api/events")],
    [
      401,
      "unauthorized",
      request("GET /api/nowhere", { authorization: "Bearer x" }),
    ],
    [404, "not_found", request("GET /webhooks/hex")],
    [404, "not_found", request("GET /api/nowhere", { authorization })],
    [405, "method_not_allowed", request("PUT /api/events", { authorization })],
    [400, "bad_request", "nonsense\r\n\r\n"],
    [
      413,
      "payload_too_large",
      request("POST /api/events/redeliver", {
        authorization,
        ...JSON_TYPE,
        "content-length": "300000",
      }),
    ],
    [
      415,
      "unsupported_media_type",
      request(
        "POST /api/events/redeliver",
        { authorization, "content-length": "2" },
        "{}",
      ),
    ],
  ])("%i %s has the common headers (case %#)", async (status, code, bytes) => {
    expectProblem(await ask(service.adminPort!, bytes), status, code);
  });

  it("requires the token: without it, it responds 401 with WWW-Authenticate", async () => {
    const bytes = request("GET /api/events");
    const { headers } = await ask(service.adminPort!, bytes);
    expect(headers["www-authenticate"]).toBe('Bearer realm="hexhook"');
  });

  it("responds with a detail to an invalid request of an operator, with the common headers", async () => {
    const bytes = request("GET /api/events?limit=x", { authorization });
    const response = await ask(service.adminPort!, bytes);
    expect(response.status).toBe(400);
    expectSecurityHeaders(response);
    expect(response.headers["content-type"]).toBe("application/problem+json");
    expect(JSON.parse(response.body)).toMatchObject({
      code: "bad_request",
      detail: expect.stringMatching(/^limit: /),
    });
  });

  it.each(["events", "destinations", "audit"])(
    "responds to /api/%s with the common headers",
    async (name) => {
      const bytes = request(`GET /api/${name}`, { authorization });
      const response = await ask(service.adminPort!, bytes);
      expect(response.status).toBe(200);
      expectSecurityHeaders(response);
      expect(response.headers["content-type"]).toBe("application/json");
    },
  );

  it("streams the audit trail with the common headers", async () => {
    const response = await ask(
      service.adminPort!,
      request("GET /api/audit/stream", { authorization }),
      (text) => text.includes("\r\n\r\n"),
    );
    expect(response.status).toBe(200);
    expectSecurityHeaders(response);
    expect(response.headers["content-type"]).toBe("text/event-stream");
  });
});
