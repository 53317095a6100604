import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import {
  eventBody,
  eventually,
  readTrail,
  signed,
  temporaryFolder,
} from "./harness.ts";
import { serve } from "./processes.ts";

const ROOT = path.join(import.meta.dirname, "..");

let folder: ReturnType<typeof temporaryFolder>;

/** A project of a user, which depends on the built package. */
beforeEach(() => {
  folder = temporaryFolder();
  const modules = path.join(folder.path, "node_modules");
  mkdirSync(path.join(modules, "@types"), { recursive: true });
  symlinkSync(ROOT, path.join(modules, "hexhook"));
  symlinkSync(
    path.join(ROOT, "node_modules", "@types", "node"),
    path.join(modules, "@types", "node"),
  );
  writeFileSync(
    path.join(folder.path, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "es2022",
        module: "nodenext",
        strict: true,
        types: ["node"],
      },
      include: ["*.ts", "*.mts"],
    }),
  );
});

afterEach(() => {
  folder.remove();
});

function compile(source: string): { status: number | null; stdout: string } {
  writeFileSync(path.join(folder.path, "handlers.mts"), source);
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  return spawnSync(process.execPath, [tsc, "-p", folder.path], {
    encoding: "utf8",
  });
}

describe("the package", () => {
  it("gives a handlers module in TypeScript its types, and the module runs", async () => {
    const compiled = compile(`
      import { defineHandlers, type HandlerEvent } from "hexhook";
      const amountOf = (event: HandlerEvent): unknown => event.payload["amount"];
      export default defineHandlers({
        "invoice.*": async (event, { signal, attempt, logger }) => {
          const at: Date = event.receivedAt;
          const bytes: Buffer = event.rawBody;
          logger.info({ amount: amountOf(event), at, bytes: bytes.length, attempt: attempt + 1 }, "paid");
          signal.throwIfAborted();
        },
      });`);
    expect(compiled).toMatchObject({ status: 0, stdout: "" });
    const service = await serve(folder.path, { HANDLERS: "handlers.mjs" });
    const body = eventBody("evt_1", "invoice.paid");
    await service.post(body, signed(body));
    const file = path.join(folder.path, "hexhook.db");
    await eventually(async () =>
      (await readTrail(file)).some(
        ({ action, resource }) =>
          action === "delivery.succeeded" &&
          resource === "/destinations/handler:invoice.*",
      ),
    );
    await service.stop();
    expect(service.stderr()).toContain('"msg":"paid"');
  });

  it.each([
    ["a value that is no function", `"a": 1`],
    ["a member that an event does not have", `"a": (event) => event.colour`],
    ["a wrong use of a member", `"a": (event) => event.id.toFixed()`],
  ])("refuses %s when it is compiled", (_what, entry) => {
    const { status, stdout } = compile(
      `import { defineHandlers } from "hexhook"; export default defineHandlers({ ${entry} });`,
    );
    expect(status).not.toBe(0);
    expect(stdout).toMatch(/handlers\.mts.*error TS/);
  });
});
