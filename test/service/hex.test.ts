import { beforeEach, describe, expect, it } from "@jest/globals";
import path from "node:path";
import { inspect } from "node:util";
import type { AuditDraft } from "../../src/audit/entry.ts";
import {
  coversScope,
  denialOf,
  scopeErrors,
} from "../../src/hex-api/scopes.ts";
import { keyIdOf } from "../../src/domain/key-id.ts";
import { createCallSummary } from "../../src/hex-api/call-summary.ts";
import {
  HexApiError,
  HexDeniedError,
  HexReader,
  HexWriter,
} from "../../src/index.ts";
import { eventBody } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { type Behaviour, startHexApi, status } from "../support/hex-api.ts";
import { hexhook } from "../support/hexhook.ts";
import { writeFileSync } from "node:fs";

const READ_KEY = "read-key-0123456789abcdef";
const WRITE_KEY = "write-key-0123456789abcdef";

let api: Awaited<ReturnType<typeof startHexApi>>;
let audit: AuditDraft[];
let folder: ReturnType<typeof temporaryFolder>;
let service: TestService | null = null;

beforeEach(async () => {
  api = await startHexApi();
  audit = [];
  folder = temporaryFolder();
});

const staging = (...granted: string[]) =>
  ({ environment: "staging", granted, required: null }) as const;

const common = () => ({
  apiUrl: api.url,
  audit: (entry: AuditDraft) => {
    audit.push(entry);
  },
  retryWaitsMs: [5, 5, 5],
});

const reader = (
  more: Partial<ConstructorParameters<typeof HexReader>[0]> = {},
) => new HexReader({ ...common(), readKey: READ_KEY, ...more });
const writer = (
  more: Partial<ConstructorParameters<typeof HexWriter>[0]> = {},
) => new HexWriter({ ...common(), writeKey: WRITE_KEY, ...more });

const entryFacts = () =>
  audit.map(({ action, result, metadata }) => [action, result, metadata]);

describe("HexReader", () => {
  it("requests the health of the API with the read key, and has no method to write", async () => {
    const answer: Behaviour = (res) => {
      res.setHeader("content-type", "application/json");
      res.end('{"status":"ok"}');
    };
    api.otherwise(answer);
    expect(await reader().health()).toEqual({
      status: 200,
      body: { status: "ok" },
    });
    expect(api.calls).toMatchObject([
      { method: "GET", path: "/health", key: `Bearer ${READ_KEY}`, body: "" },
    ]);
    expect(Object.getOwnPropertyNames(HexReader.prototype).sort()).toEqual([
      "constructor",
      "health",
    ]);
    expect(entryFacts()).toEqual([
      [
        "hex.api.call",
        "success",
        {
          method: "GET",
          scope: "read:health",
          keyId: keyIdOf(READ_KEY),
          status: 200,
          attempts: 1,
        },
      ],
    ]);
  });

  it("does not show its key when it is inspected", () => {
    const seen = [reader(), writer()].map((client) =>
      inspect(client, { showHidden: true, depth: 9 }),
    );
    expect(seen.join()).not.toMatch(/key-0123/);
  });
});

describe("HexWriter", () => {
  it("sends one or several events in a call, each call with a different idempotency key", async () => {
    await writer().track("order.paid", { total: 12 });
    await writer().track("audit", [{ a: 1 }, { a: 2 }], {
      idempotencyKey: "w:7",
    });
    expect(
      api.calls.map(({ path, key, body }) => [
        path,
        key,
        JSON.parse(body) as unknown,
      ]),
    ).toEqual([
      [
        "/v1/track",
        `Bearer ${WRITE_KEY}`,
        { event: "order.paid", properties: { total: 12 } },
      ],
      [
        "/v1/track",
        `Bearer ${WRITE_KEY}`,
        [
          { event: "audit", properties: { a: 1 } },
          { event: "audit", properties: { a: 2 } },
        ],
      ],
    ]);
    const [first, second] = api.calls.map(
      ({ idempotencyKey }) => idempotencyKey,
    );
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(second).toBe("w:7");
  });

  it.each<[string, Behaviour]>([
    ["503", status(503)],
    ["429 with a Retry-After", status(429, { "retry-after": "0" })],
    ["a connection that is reset", (res) => res.destroy()],
  ])(
    "retries with the same idempotency key after %s",
    async (_what, failure) => {
      api.plan.push(failure, failure);
      await writer().track("audit", { a: 1 });
      expect(api.calls).toHaveLength(3);
      expect(
        new Set(api.calls.map(({ idempotencyKey }) => idempotencyKey)).size,
      ).toBe(1);
      expect(entryFacts()).toMatchObject([
        ["hex.api.call", "success", { attempts: 3 }],
      ]);
    },
  );

  it("waits as long as Retry-After requests, and fails when that is too long", async () => {
    api.plan.push(status(429, { "retry-after": "1" }));
    const from = performance.now();
    await writer().track("audit", {});
    expect(performance.now() - from).toBeGreaterThan(900);
    api.plan.push(status(503, { "retry-after": "3600" }));
    await expect(writer().track("audit", {})).rejects.toMatchObject({
      reason: "status",
      status: 503,
      retryAfterMs: 3_600_000,
    });
    expect(api.calls).toHaveLength(3);
  });

  it.each([400, 401, 403, 404, 413])(
    "does not retry after %d",
    async (code) => {
      api.otherwise(status(code));
      await expect(writer().track("audit", {})).rejects.toMatchObject({
        reason: "status",
        status: code,
      });
      expect(api.calls).toHaveLength(1);
      expect(entryFacts()).toMatchObject([
        [
          "hex.api.call",
          "failure",
          { reason: "status", status: code, attempts: 1 },
        ],
      ]);
    },
  );

  it("fails after the last retry", async () => {
    api.otherwise(status(500));
    const error = await writer()
      .track("audit", {})
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(HexApiError);
    expect(api.calls).toHaveLength(4);
  });

  it("follows no redirect, so that the key is sent to no other server", async () => {
    const elsewhere = await startHexApi();
    api.otherwise(status(307, { location: `${elsewhere.url}/v1/track` }));
    await expect(writer().track("audit", {})).rejects.toMatchObject({
      status: 307,
    });
    expect(elsewhere.calls).toEqual([]);
    await elsewhere.stop();
  });

  it("ends a call after its timeout, or when its signal aborts", async () => {
    api.otherwise(() => undefined);
    await expect(
      writer({ timeoutMs: 50, retryWaitsMs: [] }).track("audit", {}),
    ).rejects.toMatchObject({ reason: "timeout" });
    const signal = AbortSignal.timeout(50);
    await expect(writer().track("audit", {}, { signal })).rejects.toMatchObject(
      { reason: "aborted" },
    );
    expect(entryFacts()).toMatchObject([
      ["hex.api.call", "failure", { reason: "timeout" }],
      ["hex.api.call", "failure", { reason: "aborted" }],
    ]);
  });

  it("reads at most 64 KiB of a response, and rejects a web page", async () => {
    api.otherwise((res) => {
      res.writeHead(200, { "content-type": "application/json" });
      const chunk = Buffer.alloc(65_536, "1");
      const more = (): void => {
        while (!res.destroyed && res.write(chunk));
        res.once("drain", more);
      };
      more();
    });
    expect(await reader().health()).toEqual({ status: 200, body: undefined });
    api.otherwise((res) => {
      res.writeHead(200, { "content-type": "text/html" }).end("<html>");
    });
    await expect(reader().health()).rejects.toMatchObject({ reason: "no_api" });
  });

  it("does not reveal the key when a call fails", async () => {
    api.otherwise(status(401));
    const error = (await writer()
      .track("audit", {})
      .catch((thrown: unknown) => thrown)) as Error;
    expect(
      `${error.message} ${error.stack ?? ""} ${JSON.stringify(error)}`,
    ).not.toContain(WRITE_KEY);
    expect(JSON.stringify(audit)).not.toContain(WRITE_KEY);
  });
});

describe("a call of the Hex API", () => {
  it.each([
    ["a read key for a write", staging("read:*"), "not_granted"],
    [
      "a staging key outside write:limited",
      staging("read:*", "write:billing"),
      "not_granted",
    ],
    [
      "a staging key wider than write:limited",
      staging("read:*", "write:*"),
      "not_permitted",
    ],
    [
      "a production key with a wildcard",
      {
        environment: "production",
        granted: ["write:*"],
        required: ["write:audit"],
      } as const,
      "not_permitted",
    ],
    [
      "a production key with more than the required scopes",
      {
        environment: "production",
        granted: ["write:audit"],
        required: ["read:health"],
      } as const,
      "not_permitted",
    ],
  ])(
    "is denied with an audit entry and without a request: %s",
    async (_what, scopes, reason) => {
      const error = await writer({ scopes })
        .track("audit", {})
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(HexDeniedError);
      expect(error).toMatchObject({
        reason: "denied",
        denial: reason,
        scope: "write:audit",
      });
      expect(api.calls).toEqual([]);
      expect(entryFacts()).toEqual([
        [
          "hex.api.denied",
          "failure",
          {
            method: "POST",
            scope: "write:audit",
            keyId: keyIdOf(WRITE_KEY),
            reason,
          },
        ],
      ]);
    },
  );

  it.each([undefined, "", 7])(
    "is denied with %j as the key",
    async (writeKey) => {
      const client = writer({ writeKey: writeKey as unknown as string });
      await expect(client.track("audit", {})).rejects.toMatchObject({
        denial: "no_key",
      });
      expect(api.calls).toEqual([]);
    },
  );

  it("is denied without a key", async () => {
    await expect(
      writer({ writeKey: null }).track("audit", {}),
    ).rejects.toMatchObject({ denial: "no_key" });
    await expect(reader({ readKey: null }).health()).rejects.toMatchObject({
      denial: "no_key",
    });
    expect(api.calls).toEqual([]);
    expect(audit).toHaveLength(2);
  });

  it("is sent when the scopes cover it, and when HEX_SCOPES is not set", async () => {
    await writer({ scopes: staging("write:limited") }).track("audit", {});
    await reader({ scopes: staging("read:*") }).health();
    await reader({
      scopes: { environment: "production", granted: null, required: null },
    }).health();
    expect(api.calls).toHaveLength(3);
  });
});

describe("scopes", () => {
  it.each([
    ["read:*", "read:health", true],
    ["read:*", "write:audit", false],
    ["write:*", "write:limited", true],
    ["write:limited", "write:audit", true],
    ["write:limited", "write:billing", false],
    ["read:limited", "read:health", false],
    ["read:health", "read:health", true],
    ["read:health", "read:healthy", false],
  ])("follow the coverage rules: %s covers %s: %s", (scope, needed, covers) => {
    expect(coversScope(scope, needed)).toBe(covers);
  });

  it.each([
    ["development", ["read:*"], null, 0],
    ["development", ["read:*", "write:audit"], null, 1],
    ["staging", ["read:*", "write:limited", "write:audit"], null, 0],
    ["staging", ["write:*", "write:billing"], null, 2],
    [
      "production",
      ["read:health", "write:audit"],
      ["read:health", "write:audit"],
      0,
    ],
    ["production", ["read:health", "write:audit"], ["read:health"], 1],
    ["production", ["read:health"], ["read:health", "write:audit"], 1],
    ["production", ["read:*"], ["read:*"], 2],
    ["production", ["read:health"], null, 1],
    ["production", null, null, 1],
  ] as const)(
    "of %s, granted %j, required %j, have %d errors",
    (environment, granted, required, count) => {
      expect(scopeErrors({ environment, granted, required })).toHaveLength(
        count,
      );
    },
  );

  it("are only advice in development, where any granted scope is permitted", () => {
    const rules = {
      environment: "development",
      granted: ["write:audit"],
      required: null,
    } as const;
    expect(denialOf(rules, "write:audit")).toBeNull();
    expect(denialOf(rules, "read:health")).toBe("not_granted");
  });
});

describe("calls that send audit entries", () => {
  const call = (
    at: number,
    result: AuditDraft["result"] = "success",
  ): AuditDraft => ({
    at,
    action: "hex.api.call",
    userId: "system",
    resource: "/v1/track",
    result,
    metadata: { scope: "write:audit" },
  });

  it("have one entry for the first call, and then one an hour with their number", async () => {
    const take = createCallSummary(async (entry) => {
      audit.push(entry);
    });
    await take(call(0, "failure"));
    for (let minute = 0; minute <= 60; minute += 1) {
      await take(call(minute * 60_000));
    }
    expect(audit.map(({ metadata }) => metadata["calls"])).toEqual([1, 60]);
    // The summary and the checkpoint after it are sent too. They cause no new summary.
    await take(call(3_601_000));
    await take(call(3_660_000));
    await take(call(9_000_000));
    expect(audit).toHaveLength(3);
    await take(call(99_000_000));
    expect(audit).toHaveLength(3);
  });

  it("have an entry in the audit trail that causes no further entries", async () => {
    service = await startTestService(folder.path, {
      env: {
        HEX_API_URL: api.url,
        HEX_WRITE_KEY: WRITE_KEY,
        HEX_SCOPES: "write:audit",
      },
    });
    await service.post(eventBody("evt_1"));
    const entry = await eventually(async () =>
      (await service!.entries()).find(
        ({ action }) => action === "hex.api.call",
      ),
    );
    expect(entry).toMatchObject({
      userId: "system",
      resource: "/v1/track",
      metadata: { scope: "write:audit", keyId: keyIdOf(WRITE_KEY), calls: 1 },
    });
    await eventually(() =>
      api.entries.some(({ action }) => action === "hex.api.call"),
    );
    await service.post(eventBody("evt_2"));
    await eventually(() =>
      api.entries.some((one) => JSON.stringify(one).includes("evt_2")),
    );
    const calls = (await service.entries()).filter(
      ({ action }) => action === "hex.api.call",
    );
    expect(calls).toHaveLength(1);
  });

  it("are denied without the write scope, with one entry, while the service keeps running", async () => {
    service = await startTestService(folder.path, {
      env: {
        HEX_API_URL: api.url,
        HEX_API_KEY: WRITE_KEY,
        HEXHOOK_ENV: "staging",
        HEX_SCOPES: "read:*",
      },
    });
    expect((await service.post(eventBody("evt_1"))).status).toBe(200);
    await eventually(async () =>
      (await service!.entries()).some(
        ({ action }) => action === "audit.sink_degraded",
      ),
    );
    const entries = await service.entries();
    expect(
      entries.filter(({ action }) => action === "hex.api.denied"),
    ).toMatchObject([
      {
        result: "failure",
        metadata: { scope: "write:audit", reason: "not_granted" },
      },
    ]);
    expect(api.calls).toEqual([]);
  });
});

describe("handlers", () => {
  it("get a reader and a writer with the configured keys, and each call has an audit entry", async () => {
    const handlers = path.join(folder.path, "handlers.mjs");
    writeFileSync(
      handlers,
      `export default { "*": async (event, { hex, signal }) => {
        await hex.reader.health({ signal });
        await hex.writer.track("seen", { id: event.id }, { signal });
      } };`,
    );
    service = await startTestService(folder.path, {
      env: {
        HANDLERS: handlers,
        HEX_API_URL: api.url,
        HEX_READ_KEY: READ_KEY,
        HEX_WRITE_KEY: WRITE_KEY,
        AUDIT_ANALYTICS: "off",
      },
    });
    await service.post(eventBody("evt_1"));
    await eventually(() => api.calls.length === 2);
    expect(api.calls.map(({ key }) => key)).toEqual([
      `Bearer ${READ_KEY}`,
      `Bearer ${WRITE_KEY}`,
    ]);
    const calls = await eventually(async () => {
      const found = (await service!.entries()).filter(
        ({ action }) => action === "hex.api.call",
      );
      return found.length === 2 ? found : null;
    });
    expect(calls).toMatchObject([
      {
        userId: "worker",
        resource: "/health",
        metadata: { scope: "read:health" },
      },
      {
        userId: "worker",
        resource: "/v1/track",
        metadata: { scope: "write:audit" },
      },
    ]);
  });
});

describe("hexhook audit scopes", () => {
  it("compares granted scopes with used ones, and advises which to drop", async () => {
    const env = {
      HEX_API_URL: api.url,
      HEX_READ_KEY: READ_KEY,
      HEX_SCOPES: "read:*,write:audit,write:billing",
      DATABASE_URL: "sqlite:hexhook.db",
    };
    const options = { cwd: folder.path, env };
    expect((await hexhook(["keys", "check"], options)).code).toBe(0);
    const json = await hexhook(["audit", "scopes", "--json"], options);
    expect(json.code).toBe(0);
    expect(
      json.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([
      {
        scope: "read:*",
        granted: true,
        calls: 1,
        needed: ["read:health"],
        advice: "narrow",
      },
      { scope: "write:audit", calls: 0, advice: "drop" },
      { scope: "write:billing", calls: 0, advice: "drop" },
    ]);
    const text = await hexhook(["audit", "scopes"], options);
    expect(text.stdout).toMatch(
      /read:\* +1 calls.*\n +narrow it to read:health/,
    );
    // A scope whose calls were denied is still needed.
    const wide = {
      ...env,
      HEXHOOK_ENV: "production",
      HEX_SCOPES: "read:*",
      DATABASE_URL: "sqlite:wide.db",
    };
    await hexhook(["keys", "check"], { ...options, env: wide });
    const rejected = await hexhook(["audit", "scopes"], {
      ...options,
      env: wide,
    });
    expect(rejected.stdout).toMatch(/1 denied\n +narrow it to read:health/);
    const later = await hexhook(
      ["audit", "scopes", "--since", "2099-01-01"],
      options,
    );
    expect(later.stdout).toMatch(/read:\* +never used\n +drop it/);
    const none = await hexhook(["audit", "scopes"], {
      ...options,
      env: { ...env, HEX_SCOPES: "write:audit" },
    });
    expect(none.stdout).toMatch(
      /read:health .*\n +calls needed it, but HEX_SCOPES does not list it/,
    );
  });
});
