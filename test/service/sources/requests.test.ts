import { beforeAll, describe, expect, it } from "@jest/globals";
import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { exchangeRaw } from "../../support/exchange-raw.ts";
import { TODAY } from "../../support/fixtures.ts";
import { readColumn } from "../../support/store-file.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const JSON_TYPE = "application/json";
const FORM_TYPE = "application/x-www-form-urlencoded";
const secretOf = (source: string): string =>
  `${source}-secret-0123456789abcdef`;
const variableOf = (source: string): string =>
  `SECRET_${source.replaceAll("-", "_").toUpperCase()}`;

/** The settings of each source besides its secrets. */
const SOURCES: Readonly<Record<string, string>> = {
  github: "scheme: github",
  texts: 'scheme: github, mediaTypes: ["text/*", application/xml]',
  "only-json": "scheme: github, mediaTypes: [application/json]",
  office: 'scheme: github, allowFrom: [192.0.2.0/24, "2001:db8::7"]',
  off: "scheme: github, disabled: true, allowFrom: [192.0.2.1]",
  small: "scheme: github, maxBodyBytes: 10",
  large: "scheme: github, maxBodyBytes: 3000",
  stripe: "scheme: stripe",
  patient: "scheme: stripe, replayWindow: 15m",
  token: "scheme: token, token: { header: X-Telegram-Token }",
  bearer: "scheme: token, token: { header: Authorization }",
  xero: "scheme: xero",
};

let folder: ReturnType<typeof temporaryFolder>;
let service: TestService;
let addresses = 0;

beforeAll(async () => {
  folder = temporaryFolder();
  const file = path.join(folder.path, "hexhook.yaml");
  const entries = Object.entries(SOURCES).map(
    ([name, settings]) =>
      `  ${name}: { ${settings}, secrets: [{ env: ${variableOf(name)}, createdAt: "${TODAY}" }] }\n`,
  );
  writeFileSync(file, `sources:\n${entries.join("")}`);
  service = await startTestService(folder.path, {
    env: {
      HEXHOOK_CONFIG: file,
      MAX_BODY_BYTES: "2000",
      TRUST_PROXY: "1",
      ...Object.fromEntries(
        Object.keys(SOURCES).map((name) => [variableOf(name), secretOf(name)]),
      ),
    },
  });
});

/** A new client for each request, because rejections are limited for each address. */
const newAddress = (): string => {
  addresses += 1;
  return `198.51.100.${addresses}`;
};

const hmac = (source: string, ...parts: string[]): string =>
  createHmac("sha256", secretOf(source)).update(parts.join("")).digest("hex");

const github = (source: string, body: string) => ({
  "content-type": JSON_TYPE,
  "x-hub-signature-256": `sha256=${hmac(source, body)}`,
});

function post(
  source: string,
  body: string,
  headers: Record<string, string> = github(source, body),
) {
  return service.request(`/webhooks/${source}`, {
    method: "POST",
    headers: { "x-forwarded-for": newAddress(), ...headers },
    body,
  });
}

/** Sends header lines as they are. */
async function postRaw(
  source: string,
  body: string,
  lines: readonly string[],
  method = "POST",
) {
  const text = await exchangeRaw(
    service.port,
    [
      `${method} /webhooks/${source} HTTP/1.1`,
      "host: h",
      "connection: close",
      `x-forwarded-for: ${newAddress()}`,
      ...lines,
      "",
      body,
    ].join("\r\n"),
  );
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
}

const lastEntry = async () =>
  (await service.entries()).findLast(({ action }) =>
    /^(?:webhook|http)\./.test(action),
  );

describe("the media type", () => {
  it.each([
    ["github", JSON_TYPE, '{"a":1}', 200],
    ["github", "application/vnd.x+json; charset=utf8", "[1]", 200],
    ["github", FORM_TYPE, "payload=%7B%7D", 200],
    ["github", `${FORM_TYPE}; charset=UTF-8`, "payload=1", 200],
    ["github", `${FORM_TYPE}; charset=latin1`, "payload=2", 415],
    ["github", "text/plain", "{}", 415],
    ["stripe", FORM_TYPE, "a=1", 415],
    ["texts", "text/plain; charset=iso-8859-1", "no grammar", 200],
    ["texts", "TEXT/CSV", "a;b", 200],
    ["texts", "application/xml", "<a/>", 200],
    ["texts", JSON_TYPE, "{}", 415],
    ["texts", "text", "{}", 415],
    ["only-json", FORM_TYPE, "a=1", 415],
    ["only-json", "application/json; charset=utf-16", "{}", 415],
    ["only-json", "application/cloudevents+json", "{}", 415],
  ])("of source %s may be %s: %s → %i", async (source, type, body, status) => {
    const headers = { ...github(source, body), "content-type": type };
    expect((await post(source, body, headers)).status).toBe(status);
  });

  it("must be there", async () => {
    expect(await postRaw("github", "", ["content-length: 0"])).toBe(415);
  });

  it.each(["", "{", "null", '"text"', '{"a":1}x'])(
    "that is JSON requires an object or an array, and not %j",
    async (body) => {
      expect(await post("github", body)).toMatchObject({
        status: 400,
        json: { code: "malformed_payload" },
      });
    },
  );
});

describe("a header that the scheme reads", () => {
  const body = '{"n":"single"}';
  const signature = `x-hub-signature-256: sha256=${hmac("github", body)}`;
  const common = [
    `content-type: ${JSON_TYPE}`,
    `content-length: ${body.length}`,
  ];

  it.each([
    ["the signature", "github", [signature, signature]],
    ["the id", "github", ["x-github-delivery: 1", "X-GitHub-Delivery: 2"]],
    ["the type", "github", ["x-github-event: a", "x-github-event: a"]],
    [
      "a token that Node drops",
      "bearer",
      [`authorization: ${secretOf("bearer")}`, "authorization: x"],
    ],
  ])("is rejected if it is repeated: %s", async (_what, source, lines) => {
    expect(await postRaw(source, body, [...common, ...lines])).toBe(400);
    const reason = `repeated_header_${lines[0]?.split(":")[0] ?? ""}`;
    expect((await lastEntry())?.metadata).toMatchObject({ source, reason });
  });

  it("does not concern other sources, nor other headers", async () => {
    const lines = [...common, signature, "via: a", "via: b"];
    const others = ["stripe-signature: t=1", "stripe-signature: t=2"];
    expect(await postRaw("github", body, [...lines, ...others])).toBe(200);
  });
});

describe("the stored headers", () => {
  it("have no signature and no token of any scheme", async () => {
    const body = '{"n":"stored"}';
    const secrets = {
      "x-telegram-token": secretOf("token"),
      "x-gitlab-token": "secret-of-gitlab",
      "x-hub-signature": "sha1=secret",
      "svix-signature": "v1,secret",
      "x-docusign-signature-100": "secret",
      authorization: "Bearer secret",
    };
    const answer = await post("token", body, {
      "content-type": JSON_TYPE,
      "x-kept": "kept",
      ...secrets,
    });
    expect(answer.status).toBe(200);
    const [stored] = readColumn(
      path.join(folder.path, "hexhook.db"),
      "SELECT headers FROM event WHERE source = 'token'",
    );
    expect(stored).toContain('"x-kept":"kept"');
    expect(stored).not.toContain("secret");
  });
});

describe("the address of the client", () => {
  const body = '{"n":"address"}';
  const from = (address: string, text = body) =>
    post("office", text, {
      ...github("office", text),
      "x-forwarded-for": address,
    });

  it.each(["192.0.2.255", "2001:db8:0:0::7", "::ffff:192.0.2.9"])(
    "may be %s",
    async (address) => {
      expect((await from(address, `["${address}"]`)).status).toBe(200);
    },
  );

  it.each(["192.0.3.1", "2001:db8::8"])(
    "must be in allowFrom: %s",
    async (address) => {
      const forged = {
        ...github("office", ""),
        "x-forwarded-for": "192.0.2.1",
      };
      const unauthorized = await post("office", body, forged);
      expect(unauthorized.status).toBe(401);
      const answer = await from(address);
      expect([answer.status, answer.text]).toEqual([401, unauthorized.text]);
      expect(await lastEntry()).toMatchObject({
        action: "http.rejected",
        userId: "anonymous",
        metadata: {
          source: "office",
          reason: "address_not_allowed",
          status: 401,
        },
      });
    },
  );

  it("is checked before a body is read", async () => {
    const lines = [`content-type: ${JSON_TYPE}`, "content-length: 1999"];
    expect(await postRaw("office", "", lines)).toBe(401);
  });
});

describe("a disabled source", () => {
  it("responds like an unknown one, and says in the audit trail that it is disabled", async () => {
    const unknown = await post("unknown", "{}");
    const answer = await post("off", "{}");
    expect([answer.status, answer.text]).toEqual([404, unknown.text]);
    expect((await lastEntry())?.metadata).toMatchObject({
      source: "off",
      reason: "disabled_source",
    });
  });
});

describe("the largest body", () => {
  const bodyOf = (bytes: number): string => `"${"x".repeat(bytes - 2)}"`;

  it.each([
    ["small", 10, 400],
    ["small", 11, 413],
    ["large", 3000, 400],
    ["large", 3001, 413],
    ["github", 2000, 400],
    ["github", 2001, 413],
  ])("of source %s: %i bytes get %i", async (source, bytes, status) => {
    expect((await post(source, bodyOf(bytes))).status).toBe(status);
  });
});

describe("the replay window", () => {
  const stripe = (source: string, body: string, age: number) => {
    const at = String(Math.floor(Date.now() / 1000) - age);
    const signature = `t=${at},v1=${hmac(source, at, ".", body)}`;
    return { "content-type": JSON_TYPE, "stripe-signature": signature };
  };

  it.each([
    ["stripe", 280, 200],
    ["stripe", 320, 401],
    ["patient", 880, 200],
    ["patient", 920, 401],
    ["patient", -920, 401],
  ])("of source %s: an age of %i s gets %i", async (source, age, status) => {
    const body = `{"id":"evt_${source}_${age}"}`;
    const answer = await post(source, body, stripe(source, body, age));
    expect(answer.status).toBe(status);
  });

  it("does not matter for a header with more than 16 signatures, which gets 400", async () => {
    const headers = {
      "content-type": JSON_TYPE,
      "stripe-signature": `t=1${`,v1=${"0".repeat(64)}`.repeat(17)}`,
    };
    expect(await post("stripe", "{}", headers)).toMatchObject({
      status: 400,
      json: { code: "bad_request" },
    });
    expect(await lastEntry()).toMatchObject({
      userId: "anonymous",
      metadata: { reason: "too_many_signatures", status: 400 },
    });
  });
});

describe("the responses to xero", () => {
  it.each([
    ["genuine", 200],
    ["forged", 401],
  ])("have no body: %s", async (what, status) => {
    const body = `{"events":[],"entropy":"${what}"}`;
    const mac = createHmac("sha256", secretOf("xero"));
    const answer = await post("xero", body, {
      "content-type": JSON_TYPE,
      "x-xero-signature": mac
        .update(what === "genuine" ? body : "")
        .digest("base64"),
    });
    expect([answer.status, answer.text]).toEqual([status, ""]);
    expect(answer.headers.get("content-type")).toBeNull();
    expect(answer.headers.get("set-cookie")).toBeNull();
  });
});

/** Each request fails all the checks that come after the one that decides. */
describe("the order of the checks", () => {
  const wrong = [
    "content-type: text/plain",
    "content-length: 9999",
    "x-hub-signature-256: a",
    "x-hub-signature-256: b",
  ];

  it("is: disabled, address, method, repeated header, media type, length, signature", async () => {
    const right = [`content-type: ${JSON_TYPE}`, "x-hub-signature-256: a"];
    expect([
      await postRaw("off", "", wrong, "PUT"),
      await postRaw("office", "", wrong, "PUT"),
      await postRaw("github", "", wrong, "PUT"),
      await postRaw("github", "", wrong),
      await postRaw("github", "", wrong.slice(0, 3)),
      await postRaw("github", "", [...right, "content-length: 9999"]),
      await postRaw("github", "null", [...right, "content-length: 4"]),
    ]).toEqual([404, 401, 405, 400, 415, 413, 401]);
  });
});
