import { beforeEach, describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { reply, startDestination } from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody } from "../support/fixtures.ts";
import type { LogLine } from "../support/late-errors.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let folder: string;

beforeEach(() => {
  folder = temporaryFolder().path;
});

const linesOf = (text: string): LogLine[] =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LogLine);

const lineOf = (service: TestService, message: string): Promise<LogLine> =>
  eventually(() =>
    linesOf(service.log.text).find(({ msg }) => msg === message),
  );

function handlersFile(source: string): string {
  const file = path.join(folder, "handlers.mjs");
  writeFileSync(file, source);
  return file;
}

describe("an exhausted delivery", () => {
  it("is logged with the status of the response", async () => {
    const { url } = await startDestination(reply(500));
    const service = await startTestService(folder, {
      env: {
        HANDLERS: noHandlers(folder),
        FORWARD_URL: url,
        RETRY_SCHEDULE: "1ms",
      },
    });
    await service.post(eventBody("evt_1"));
    expect(await lineOf(service, "delivery exhausted")).toMatchObject({
      level: "warn",
      destination: "forward",
      source: "hex",
      eventId: "evt_1",
      eventType: "resource.created",
      attempt: 2,
      reason: "status",
      status: 500,
    });
    expect(service.log.text.match(/delivery exhausted/g)).toHaveLength(1);
  });

  it("is logged when it was pending for too long", async () => {
    writeFileSync(
      path.join(folder, "hexhook.yaml"),
      `{ destinations: { d: { url: "http://127.0.0.1:9", maxAge: 1s, retrySchedule: [1h] } } }`,
    );
    const service = await startTestService(folder, {
      env: {
        HANDLERS: noHandlers(folder),
        HEXHOOK_CONFIG: path.join(folder, "hexhook.yaml"),
      },
    });
    await service.post(eventBody("evt_1"));
    expect(await lineOf(service, "delivery exhausted")).toMatchObject({
      level: "warn",
      destination: "d",
      eventId: "evt_1",
      attempt: 1,
      reason: "too_old",
    });
  });

  it("is logged with the error that the handler threw, which the audit trail omits", async () => {
    const service = await startTestService(folder, {
      env: {
        HANDLERS: handlersFile(
          `export default { "*": () => { throw new TypeError("private\\u001b[31m" + "x".repeat(100_000), { cause: new Error("why") }); } };`,
        ),
        RETRY_SCHEDULE: "1ms",
      },
    });
    await service.post(eventBody("evt_1"));
    const line = await lineOf(service, "delivery exhausted");
    expect(line).toMatchObject({
      level: "warn",
      destination: "handler:*",
      eventId: "evt_1",
      attempt: 2,
      reason: "handler_threw",
      err: {
        type: "TypeError",
        message: expect.stringMatching(/^private.*… \(100012 characters\)$/s),
        stack: expect.stringContaining("handlers.mjs"),
        cause: { type: "Error", message: "why" },
      },
    });
    expect(service.log.text).not.toContain("\u001b");
    expect(
      Math.max(...service.log.text.split("\n").map(({ length }) => length)),
    ).toBeLessThan(16_384);
    expect(JSON.stringify(await service.entries())).not.toContain("private");
  });
});

describe("a circuit breaker that opens", () => {
  it("is logged with the last failure", async () => {
    const service = await startTestService(folder, {
      env: {
        HANDLERS: handlersFile(
          'export default { "*": (event) => { throw new Error("of " + event.id); } };',
        ),
        RETRY_SCHEDULE: "1h",
      },
    });
    for (const n of [1, 2, 3, 4, 5, 6]) {
      await service.post(eventBody(`evt_${n}`));
    }
    const line = await lineOf(service, "circuit breaker opened");
    expect(line).toMatchObject({
      level: "warn",
      destination: "handler:*",
      source: "hex",
      reason: "handler_threw",
      err: { message: `of ${String(line["eventId"])}` },
    });
  });

  it("is logged with the status of an HTTP destination", async () => {
    const { url } = await startDestination(reply(502));
    const service = await startTestService(folder, {
      env: {
        HANDLERS: noHandlers(folder),
        FORWARD_URL: url,
        RETRY_SCHEDULE: "1h",
      },
    });
    for (const n of [1, 2, 3, 4, 5, 6]) {
      await service.post(eventBody(`evt_${n}`));
    }
    expect(await lineOf(service, "circuit breaker opened")).toMatchObject({
      destination: "forward",
      reason: "status",
      status: 502,
      eventId: expect.stringMatching(/^evt_/),
    });
  });
});
