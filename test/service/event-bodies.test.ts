import { beforeAll, describe, expect, it } from "@jest/globals";
import { ADMIN_TOKEN } from "../support/admin-client.ts";
import { signed } from "../support/fixtures.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { freePort } from "../support/processes.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { storeFileIn } from "../support/service-store.ts";
import { openFile } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const IDS = ["evt_1", "order/7", "order/7/body", "body", "a%2Fbody"];

let folder: string;
let service: TestService;

const bodyOf = (id: string): Buffer =>
  Buffer.from(`{"id":"${id}",\r\n "type":"a.b", "html":"<script>é</script>"}`);

beforeAll(async () => {
  folder = temporaryFolder().path;
  service = await startTestService(folder, {
    env: {
      HANDLERS: noHandlers(folder),
      ADMIN_PORT: String(await freePort()),
      ADMIN_TOKEN,
    },
  });
  for (const id of IDS) {
    await post(bodyOf(id));
  }
});

async function post(body: Buffer): Promise<void> {
  expect((await service.post(body, signed(body))).status).toBe(200);
}

async function get(
  target: string,
  { method = "GET", token = ADMIN_TOKEN } = {},
) {
  const response = await fetch(
    `http://127.0.0.1:${service.adminPort}/api/events/${target}`,
    { method, headers: { authorization: `Bearer ${token}` } },
  );
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, bytes };
}

const reads = async () =>
  (await service.entries()).filter(({ action }) => action === "event.read");

describe("GET /api/events/:id/body", () => {
  it("returns the exact bytes as an attachment that no browser interprets, and is audited", async () => {
    const { status, headers, bytes } = await get("evt_1/body?as=alice");
    expect(status).toBe(200);
    expect(bytes.equals(bodyOf("evt_1"))).toBe(true);
    expect(Object.fromEntries(headers)).toMatchObject({
      "content-type": "application/octet-stream",
      "content-disposition": "attachment",
      "content-length": String(bodyOf("evt_1").length),
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none';frame-ancestors 'none'",
    });
    await get("hex/evt_1/body");
    expect((await reads()).slice(-2)).toMatchObject([
      {
        userId: "operator:alice",
        resource: "/events/hex/evt_1",
        metadata: { source: "hex", eventId: "evt_1", eventType: "a.b" },
      },
      { userId: "operator:api", metadata: { eventId: "evt_1" } },
    ]);
  });

  it.each([
    ["order/7/body", "order/7"],
    ["order%2F7/body", "order/7"],
    ["order/7/body/body", "order/7/body"],
    ["hex/order%2F7%2Fbody/body", "order/7/body"],
    ["body/body", "body"],
    ["a%252Fbody/body", "a%2Fbody"],
  ])("finds an id with a slash: %s", async (target, id) => {
    const { status, bytes } = await get(target);
    expect([status, bytes.toString()]).toEqual([200, bodyOf(id).toString()]);
  });

  it.each([
    ["order%2F7%2Fbody", "order/7/body"],
    ["body", "body"],
  ])("leaves the path of the event itself free: %s", async (target, id) => {
    const { status, bytes } = await get(target);
    expect(status).toBe(200);
    expect(JSON.parse(bytes.toString())).toMatchObject({ id });
  });

  it.each([
    ["none/body", 404, {}],
    ["evt_1/body?as=a%20b", 400, {}],
    ["evt_1/body?unknown=1", 400, {}],
    ["evt_1/body", 401, { token: `${ADMIN_TOKEN}x` }],
    ["evt_1/body", 405, { method: "POST" }],
  ])(
    "discloses and audits nothing: %s, %i",
    async (target, status, options) => {
      const before = (await reads()).length;
      const answer = await get(target, options);
      expect(answer.status).toBe(status);
      expect(answer.headers.get("content-type")).toBe(
        "application/problem+json",
      );
      expect(await reads()).toHaveLength(before);
    },
  );

  it("returns no body for HEAD, without an entry", async () => {
    const before = (await reads()).length;
    const { status, headers, bytes } = await get("evt_1/body", {
      method: "HEAD",
    });
    expect([status, bytes.length]).toEqual([200, 0]);
    expect(headers.get("content-length")).toBe(String(bodyOf("evt_1").length));
    expect(await reads()).toHaveLength(before);
  });

  it("returns 503 instead of the body if the entry cannot be written", async () => {
    const db = openFile(storeFileIn(folder));
    db.exec("BEGIN IMMEDIATE");
    const { status, bytes } = await get("evt_1/body");
    db.exec("ROLLBACK");
    db.close();
    expect(status).toBe(503);
    expect(bytes.includes("script")).toBe(false);
  });
});
