import { beforeAll, describe, expect, it } from "@jest/globals";
import { createHmac } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import {
  reply,
  startDestination,
  type TestDestination,
} from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { exchangeRaw } from "../support/exchange-raw.ts";
import { startHexApi, status } from "../support/hex-api.ts";
import { hexhook } from "../support/hexhook.ts";
import { freePort, serve } from "../support/processes.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/*
 * A service with the most verbose log level gets recognisable secrets, credentials and bodies in requests, errors and reloads.
 * Then all its output is searched for them.
 */

const canary = (name: string): string => `${name}-canary-7c9e6679f0b14de3`;

/** Secrets of the configuration. They must not be in any output. */
const SECRETS = Object.fromEntries(
  [
    "ADMIN_TOKEN",
    "FORWARD_SECRET",
    "NOTIFY_SECRET",
    "HEX_SECRET",
    "HEX_SECRET_PREVIOUS",
    "HEX_API_KEY",
    "HEX_READ_KEY",
    "HEX_WRITE_KEY",
    "RELOADED_HEX_SECRET",
    "RELOADED_ADMIN_TOKEN",
  ].map((name) => [name, canary(name)]),
) as Record<string, string>;
/** A secret that is too short, for a reload that is rejected. */
const REJECTED_SECRET = "tooshort-canary-1";

/** Credentials of senders and of callers of the management API. */
const CREDENTIALS = {
  authorization: canary("sender-authorization"),
  proxyAuthorization: canary("sender-proxy-authorization"),
  cookie: canary("sender-cookie"),
  apiKey: canary("sender-api-key"),
  query: canary("sender-query"),
  wrongToken: canary("wrong-token"),
};
const BODY_TEXT = canary("body-text");

const PUBLIC_ID = "evt_to_be_found";

const everywhere: Record<string, string> = {};
let database: string;
let handlerSaw: string;
let destination: TestDestination;
const signatures = new Set<string>();

function sign(secret: string, body: string, at = Date.now()) {
  const timestamp = String(Math.floor(at / 1000));
  const signature = createHmac("sha256", secret)
    .update(`${timestamp}.${body}`)
    .digest("hex");
  signatures.add(signature);
  return {
    "content-type": "application/json",
    "x-hex-timestamp": timestamp,
    "x-hex-signature": signature,
    authorization: `Bearer ${CREDENTIALS.authorization}`,
    "proxy-authorization": `Basic ${CREDENTIALS.proxyAuthorization}`,
    cookie: `session=${CREDENTIALS.cookie}`,
    "x-api-key": CREDENTIALS.apiKey,
    "user-agent": "sender/1.0",
  };
}

const eventText = (id: string, type = "t"): string =>
  JSON.stringify({ id, type, text: BODY_TEXT });

/* eslint-disable jest/no-standalone-expect -- all tests use one run, which must have had the expected results */
beforeAll(async () => {
  const folder = temporaryFolder().path;
  const inFolder = (name: string): string => path.join(folder, name);
  const write = (name: string, text: string): string => {
    writeFileSync(inFolder(name), text);
    return inFolder(name);
  };
  const api = await startHexApi();
  api.plan.push(status(500), status(401));
  destination = await startDestination((res, count) => {
    reply(count % 2 === 1 ? 500 : 204)(res, count, destination.attempts[0]!);
  });
  const handlers = write(
    "handlers.mjs",
    `import { appendFileSync } from "node:fs";
     export default {
       "*": async (event, { hex, logger, signal }) => {
         appendFileSync("seen.jsonl", JSON.stringify(event.headers) + "\\n");
         logger.info({ hex: { reader: hex.reader, writer: hex.writer } }, "handler runs");
         await hex.reader.health({ signal });
         await hex.writer.track("seen", { id: event.id }, { signal });
       },
       "throws": () => { throw new Error("the handler failed"); },
     };`,
  );
  const adminPort = await freePort();
  const secretFile = write("secret", SECRETS["HEX_SECRET"]!);
  const tokenFile = write("token", SECRETS["ADMIN_TOKEN"]!);
  const env = {
    HEX_SECRET: undefined,
    HEX_SECRET_FILE: secretFile,
    HEX_SECRET_PREVIOUS: SECRETS["HEX_SECRET_PREVIOUS"],
    HEX_SECRET_PREVIOUS_EXPIRES_AT: "2999-01-01",
    HEX_API_KEY: SECRETS["HEX_API_KEY"],
    HEX_READ_KEY: SECRETS["HEX_READ_KEY"],
    HEX_WRITE_KEY: SECRETS["HEX_WRITE_KEY"],
    HEX_API_URL: api.url,
    HEX_SCOPES: "read:health,write:audit",
    ADMIN_PORT: String(adminPort),
    ADMIN_TOKEN_FILE: tokenFile,
    FORWARD_URL: destination.url,
    FORWARD_SECRET: SECRETS["FORWARD_SECRET"],
    NOTIFY_URL: "http://127.0.0.1:9/",
    NOTIFY_SECRET: SECRETS["NOTIFY_SECRET"],
    HANDLERS: handlers,
    RETRY_SCHEDULE: "10ms,10ms",
    MAX_BODY_BYTES: "2000",
    AUDIT_FILE: "audit.jsonl",
    LOG_LEVEL: "trace",
  };
  const serving = await serve(folder, env);

  const responses: string[] = [];
  async function ask(
    url: string,
    init: RequestInit = {},
  ): Promise<{ status: number; text: string }> {
    const response = await fetch(url, init);
    const text = await response.text();
    responses.push(JSON.stringify([...response.headers]), text);
    return { status: response.status, text };
  }
  const post = (
    body: string,
    headers: Record<string, string>,
    target = `/webhooks/hex?token=${CREDENTIALS.query}`,
  ) => ask(`${serving.url}${target}`, { method: "POST", headers, body });
  const admin = (
    target: string,
    token: string,
    {
      headers = {},
      ...init
    }: {
      method?: string;
      headers?: Record<string, string>;
      body?: string;
    } = {},
  ) =>
    ask(`http://127.0.0.1:${adminPort}${target}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, ...headers },
    });

  // Senders.
  const statuses: number[] = [];
  const send = async (...what: Parameters<typeof post>): Promise<void> => {
    statuses.push((await post(...what)).status);
  };
  const [secret, previous] = [
    SECRETS["HEX_SECRET"]!,
    SECRETS["HEX_SECRET_PREVIOUS"]!,
  ];
  const first = sign(secret, eventText(PUBLIC_ID));
  await send(eventText(PUBLIC_ID), first);
  await send(eventText(PUBLIC_ID), first);
  await send(
    eventText(PUBLIC_ID),
    sign(secret, eventText(PUBLIC_ID), Date.now() + 2000),
  );
  await send(
    eventText(PUBLIC_ID, "u"),
    sign(secret, eventText(PUBLIC_ID, "u")),
  );
  await send(
    eventText("evt_2", "throws"),
    sign(previous, eventText("evt_2", "throws")),
  );
  await send(eventText("evt_3"), sign(canary("forged"), eventText("evt_3")));
  await send(eventText("evt_3"), sign(secret, eventText("evt_3"), 0));
  await send(BODY_TEXT, sign(secret, BODY_TEXT));
  await send(eventText("evt_4"), sign(secret, eventText("evt_4")), "/nowhere");
  await send(eventText("evt_4"), {
    ...sign(secret, eventText("evt_4")),
    "content-type": "text/plain",
  });
  const long = eventText("evt_5").padEnd(2001);
  await send(long, sign(secret, long));
  expect(statuses).toEqual([
    200, 409, 200, 409, 200, 401, 401, 400, 404, 415, 413,
  ]);
  await ask(`${serving.url}/webhooks/hex`, {
    headers: { cookie: CREDENTIALS.cookie },
  });
  for (const broken of [
    `cookie ${CREDENTIALS.cookie}`,
    `cookie: a\r\ncookie: ${CREDENTIALS.cookie}\r\nhost: again`,
    `x-large: ${CREDENTIALS.cookie.repeat(800)}`,
  ]) {
    responses.push(
      await exchangeRaw(
        serving.port,
        `POST /webhooks/hex HTTP/1.1\r\nhost: h\r\nauthorization: ${CREDENTIALS.authorization}\r\n${broken}\r\nconnection: close\r\n\r\n${BODY_TEXT}`,
      ),
    );
  }

  // Operators.
  const token = SECRETS["ADMIN_TOKEN"]!;
  await eventually(() =>
    readFileSync(inFolder("audit.jsonl"), "utf8").includes(
      "delivery.exhausted",
    ),
  );
  expect((await admin("/api/events", CREDENTIALS.wrongToken)).status).toBe(401);
  await admin("/api/events", "x", {
    headers: { authorization: `Basic ${CREDENTIALS.wrongToken}` },
  });
  for (const target of [
    "/api/events",
    `/api/events/${PUBLIC_ID}`,
    "/api/events/unknown",
    "/api/destinations",
    "/api/audit?limit=200",
    `/api/audit?nonsense=${CREDENTIALS.query}`,
    "/api/nowhere",
    "/readyz",
  ]) {
    await admin(target, token);
  }
  const json = { "content-type": "application/json" };
  for (const [target, body] of [
    ["/api/events/redeliver", '{"ids":["evt_2"]}'],
    ["/api/events/redeliver", `{"nonsense":"${BODY_TEXT}"`],
    ["/api/destinations/forward/pause", '{"as":"operator"}'],
    ["/api/destinations/forward/resume", '{"as":"operator"}'],
  ] as const) {
    await admin(target, token, { method: "POST", headers: json, body });
  }

  // Reloads: one that is rejected, and one that is applied.
  write("secret", REJECTED_SECRET);
  serving.child.kill("SIGHUP");
  await eventually(() => serving.stderr().includes("HEX_SECRET_FILE: "));
  write("secret", SECRETS["RELOADED_HEX_SECRET"]!);
  write("token", SECRETS["RELOADED_ADMIN_TOKEN"]!);
  serving.child.kill("SIGHUP");
  await eventually(
    async () =>
      (await admin("/api/events", SECRETS["RELOADED_ADMIN_TOKEN"]!)).status ===
      200,
  );
  const last = eventText("evt_last");
  const reloaded = SECRETS["RELOADED_HEX_SECRET"]!;
  expect((await post(last, sign(reloaded, last))).status).toBe(200);
  await eventually(() => api.entries.length > 0);
  expect(await serving.stop()).toEqual({ code: 0, signal: null });

  const run = async (...args: string[]): Promise<string> => {
    const cli = { ...env, DATABASE_URL: "sqlite:hexhook.db" };
    const { stdout, stderr } = await hexhook(args, { cwd: folder, env: cli });
    return stdout + stderr;
  };
  Object.assign(everywhere, {
    stdout: serving.stdout(),
    stderr: serving.stderr(),
    "the audit file": readFileSync(inFolder("audit.jsonl"), "utf8"),
    "the responses": responses.join("\n"),
    "the calls of Hex analytics": api.calls.map(({ body }) => body).join("\n"),
    "audit tail": await run("audit", "tail", "--json"),
    "events list": await run("events", "list", "--json"),
    "events show": await run("events", "show", PUBLIC_ID),
  });
  database = ["hexhook.db", "hexhook.db-wal"]
    .map(inFolder)
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, "latin1"))
    .join("");
  handlerSaw = readFileSync(inFolder("seen.jsonl"), "utf8");
});

/* eslint-enable jest/no-standalone-expect */

/** Returns a text in the encodings in which it may be written. */
const formsOf = (text: string): string[] => [
  text,
  encodeURIComponent(text),
  Buffer.from(text).toString("base64").slice(0, -4),
  Buffer.from(text).toString("hex"),
];

/** Returns the names of the texts that are found. */
function foundIn(text: string, texts: Record<string, string>): string[] {
  const lower = text.toLowerCase();
  return Object.entries(texts)
    .filter(([, value]) =>
      formsOf(value).some(
        (form) => text.includes(form) || lower.includes(form.toLowerCase()),
      ),
    )
    .map(([name]) => name);
}

describe("the output of a service", () => {
  it.each([
    "stdout",
    "stderr",
    "the audit file",
    "the responses",
    "the calls of Hex analytics",
    "audit tail",
    "events list",
    "events show",
  ])("contains no secrets, credentials or signatures: %s", (place) => {
    const text = everywhere[place]!;
    // The output is not empty.
    const shown = place === "stderr" ? "handler runs" : PUBLIC_ID;
    expect(text).toContain(shown);
    expect(foundIn(text, { ...SECRETS, REJECTED_SECRET })).toEqual([]);
    expect(foundIn(text, CREDENTIALS)).toEqual([]);
    expect(text).not.toContain("canary");
    const signed = Object.fromEntries([...signatures].map((one) => [one, one]));
    expect(Object.keys(signed).length).toBeGreaterThanOrEqual(10);
    expect(foundIn(text, signed)).toEqual([]);
  });

  it("does not contain the signatures that a destination gets", () => {
    const made = destination.attempts.map(({ headers }) =>
      String(headers["webhook-signature"]).slice(3),
    );
    expect(made.length).toBeGreaterThan(2);
    for (const text of [...Object.values(everywhere), database]) {
      expect(made.filter((one) => text.includes(one))).toEqual([]);
    }
  });
});

describe("the data stored with an event", () => {
  it("contains its body, but no secret, credential or signature as text", () => {
    expect(database).toContain(BODY_TEXT);
    expect(database).toContain("sender/1.0");
    expect(foundIn(database, { ...SECRETS, REJECTED_SECRET })).toEqual([]);
    expect(foundIn(database, CREDENTIALS)).toEqual([]);
    for (const signature of signatures) {
      expect(database).not.toContain(signature);
    }
  });

  it("is passed to a handler without credentials", () => {
    const [headers] = handlerSaw.split("\n");
    expect(JSON.parse(headers!)).toMatchObject({ "user-agent": "sender/1.0" });
    expect(Object.keys(JSON.parse(headers!) as object)).not.toContain("cookie");
    expect(handlerSaw).not.toContain("canary");
    for (const signature of signatures) {
      expect(handlerSaw).not.toContain(signature);
    }
  });
});

describe("a request to a destination", () => {
  it("contains the body, but no secret, credential or signature of the sender", () => {
    expect(destination.attempts.length).toBeGreaterThan(2);
    for (const { headers, body } of destination.attempts) {
      expect(body.toString()).toContain(BODY_TEXT);
      const text = JSON.stringify(headers);
      expect(text).not.toContain("canary");
      expect(headers).not.toHaveProperty("cookie");
      expect(headers).not.toHaveProperty("authorization");
      expect(headers).not.toHaveProperty(["x-hex-signature"]);
    }
  });
});
