import { beforeAll, describe, expect, it } from "@jest/globals";
import { SECRET } from "../support/fixtures.ts";
import { hexhook } from "../support/hexhook.ts";
import { type ServedHandlers, serveHandlers } from "../support/late-errors.ts";
import { entriesOf } from "../support/kill-in-attempts.ts";
import { eventually } from "../support/eventually.ts";

/** Code of handlers that causes an error which the handler neither throws nor rejects with. */
const LATE = {
  "a rejected promise": "Promise.reject(new Error('late'));",
  "a promise that is rejected later":
    "new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 5));",
  "an async function that rejects":
    "(async () => { await null; throw new Error('late'); })();",
  "a rejection without an error": "Promise.reject(undefined);",
  "an error whose members throw": `Promise.reject(Object.defineProperties(new Error(), {
    stack: { get() { throw new Error('no'); } }, message: { get() { throw new Error('no'); } },
    name: { get() { throw new Error('no'); } }, toString: { value() { throw new Error('no'); } },
    [Symbol.toPrimitive]: { value() { throw new Error('no'); } } }));`,
  "a proxy whose traps throw": `Promise.reject(new Proxy({}, { get() { throw new Error('no'); }, getPrototypeOf() { throw new Error('no'); },
    has() { throw new Error('no'); }, ownKeys() { throw new Error('no'); } }));`,
  "a timer that throws": "setTimeout(() => { throw new Error('late'); }, 5);",
  "an immediate that throws":
    "setImmediate(() => { throw new Error('late'); });",
  "a tick that throws": "process.nextTick(() => { throw new Error('late'); });",
  "a microtask that throws":
    "queueMicrotask(() => { throw new Error('late'); });",
  "a microtask that throws null": "queueMicrotask(() => { throw null; });",
  "an event emitter without a listener":
    "setTimeout(() => new EventEmitter().emit('error', new Error('late')), 5);",
  "a socket without a listener": "connect({ host: '127.0.0.1', port: 1 });",
  "an abort listener that throws":
    "signal.addEventListener('abort', () => { throw new Error('late'); }); throw new Error('first');",
  "an error of Hexhook's own, for a call of its API": "hex.reader.health();",
} as const;

describe("a late error of a handler", () => {
  let service: ServedHandlers;

  // All cases share one process, because none of them may end it.
  beforeAll(async () => {
    const handlers = Object.values(LATE).map(
      (statement, i) =>
        `"late.${i}": (_event, { signal, hex }) => { ${statement} },`,
    );
    service = await serveHandlers(`
      import { EventEmitter } from "node:events";
      import { connect } from "node:net";
      export default { ${handlers.join("\n")} "fine": () => undefined };
    `);
  });

  it.each(Object.keys(LATE).map((what, i) => [what, i] as const))(
    "is logged with the attempt, and intake continues: %s",
    async (what, i) => {
      const id = `evt_${i}`;
      const before = service.lines().length;
      expect(await service.send(id, `late.${i}`)).toBe(200);
      const line = await eventually(() =>
        service
          .lines()
          .slice(before)
          .find(({ kind }) => kind !== undefined),
      );
      // Node 20 and 22 lose the context of a microtask.
      expect(line.msg).toMatch(
        what.startsWith("a microtask")
          ? /^handler threw$|^uncaught error(?: from|, possibly from) a handler$/
          : /^handler threw$|^uncaught error from a handler$/,
      );
      expect(JSON.stringify(line)).toContain(`"eventId":"${id}"`);
      expect(line).toMatchObject({ level: "error", err: expect.anything() });
      expect(await service.send(`${id}_next`, "fine")).toBe(200);
      await eventually(async () =>
        (await entriesOf(service.folder, "delivery.succeeded")).some(
          ({ metadata }) => metadata["eventId"] === `${id}_next`,
        ),
      );
      expect(service.child.exitCode).toBeNull();
    },
  );

  it("leaves the trail intact and allows a normal stop", async () => {
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    const verified = await hexhook(["audit", "verify"], {
      cwd: service.folder,
      env: { HEX_SECRET: SECRET, DATABASE_URL: "sqlite:hexhook.db" },
    });
    expect(verified).toMatchObject({ code: 0 });
    // Every line of stderr was JSON.
    expect(service.lines().map(({ level }) => level)).not.toContain("fatal");
  });
});

describe("a late error while the attempt is in flight", () => {
  it.each([
    ["unhandled rejection", "Promise.reject(new Error('late'));"],
    ["uncaught exception", "setImmediate(() => { throw new Error('late'); });"],
  ])(
    "fails the attempt at once and aborts its signal: %s",
    async (kind, statement) => {
      const service = await serveHandlers(`export default {
      "*": (_event, { signal, logger }) => {
        signal.addEventListener("abort", () => { logger.info("aborted"); });
        ${statement}
        return new Promise(() => undefined);
      },
    };`);
      await service.send("evt_1");
      expect(await service.line("handler threw")).toMatchObject({
        destination: "handler:*",
        eventId: "evt_1",
        attempt: 1,
        kind,
        err: { type: "Error", message: "late", stack: expect.any(String) },
      });
      await service.line("aborted", "evt_1");
      const [entry] = await eventually(async () => {
        const entries = await entriesOf(service.folder, "delivery.failed");
        return entries.length > 0 ? entries : null;
      });
      expect(entry!.metadata).toMatchObject({ reason: "handler_threw" });
      expect(await service.stop()).toEqual({ code: 0, signal: null });
    },
  );

  it("fails that attempt and no other", async () => {
    const service = await serveHandlers(`
      let release;
      export default {
        bad: () => { Promise.reject(new Error("late")); return new Promise(() => undefined); },
        good: () => new Promise((resolve) => { release = resolve; }),
        release: () => { release(); },
      };`);
    await service.send("evt_good", "good");
    await service.send("evt_bad", "bad");
    await service.line("handler threw", "evt_bad");
    await service.send("evt_release", "release");
    const succeeded = await eventually(async () => {
      const entries = await entriesOf(service.folder, "delivery.succeeded");
      return entries.length === 2 ? entries : null;
    });
    expect(succeeded.map(({ metadata }) => metadata["eventId"]).sort()).toEqual(
      ["evt_good", "evt_release"],
    );
  });
});

describe("a late error of the handlers module itself", () => {
  it("is logged, and intake continues", async () => {
    const service = await serveHandlers(`
      Promise.reject(new Error("while it is loaded"));
      setTimeout(() => { throw new Error("after it was loaded"); }, 5);
      export default { "*": () => undefined };
    `);
    await eventually(() => service.stderr().includes("after it was loaded"));
    expect(service.stderr()).toContain("while it is loaded");
    expect(await service.send("evt_1")).toBe(200);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });
});

describe("a rejection that the handler catches later", () => {
  it("leaves only lines of JSON on stderr", async () => {
    const service = await serveHandlers(`export default {
      "*": async (_event, { logger }) => {
        const early = Promise.reject(new Error("late"));
        await new Promise(setImmediate);
        await early.catch(() => undefined);
        setImmediate(() => logger.info("caught"));
      },
    };`);
    await service.send("evt_1");
    await service.line("caught", "evt_1");
    await service.line("handler threw", "evt_1");
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(() => service.lines()).not.toThrow();
  });
});

describe("a flood of late errors", () => {
  it("is logged up to a limit, with the number of the rest, in constant memory", async () => {
    const service = await serveHandlers(
      `export default {
        flood: (_event, { logger }) => {
          let left = 5_000;
          const next = () => {
            for (let i = 0; i < 100; i += 1, left -= 1) Promise.reject(new Error("late ".repeat(200)));
            if (left > 0) setImmediate(next); else logger.info("flooded");
          };
          setImmediate(next);
        },
        fine: () => undefined,
      };`,
      { LOG_LEVEL: "info", NODE_OPTIONS: "--max-old-space-size=96" },
    );
    await service.send("evt_flood", "flood");
    await service.line("flooded", "evt_flood");
    expect(await service.send("evt_1", "fine")).toBe(200);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    const late = service
      .lines()
      .filter(({ msg }) => msg === "uncaught error from a handler");
    expect(late).toHaveLength(60);
    expect(await service.line("further lines not logged")).toMatchObject({
      level: "warn",
      type: "handler.late_error",
      destination: "handler:flood",
      count: 5_000 - 60,
    });
  });
});
