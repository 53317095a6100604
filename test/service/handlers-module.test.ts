import { beforeAll, describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { SECRET } from "../support/fixtures.ts";
import { environment, hexhookProcess } from "../support/processes.ts";
import { compileModule } from "../support/compile-module.ts";
import { inProject } from "../support/project.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/* These tests run in separate processes, so that Node loads the modules and not the loader of the tests. */

const DEFINE = `import { defineHandlers } from ${JSON.stringify(pathToFileURL(inProject("dist", "index.js")).href)};`;

/** Modules that map `a` and `b.*` to functions, by the name of their file. */
const GOOD = {
  "esm.mjs": 'export default { a() {}, "b.*": () => 1 };',
  "defined.mjs": `${DEFINE} export default defineHandlers({ a() {}, "b.*": () => 1 });`,
  "exports.cjs": 'module.exports = { a() {}, "b.*": () => 1 };',
  "typescript.cjs":
    '"use strict"; Object.defineProperty(exports, "__esModule", { value: true }); exports.default = { a() {}, "b.*": () => 1 };',
  "babel.cjs":
    'exports.__esModule = true; exports.default = { a() {}, "b.*": () => 1 }; exports.other = 1;',
  "esbuild.cjs":
    'module.exports = Object.defineProperty({ get default() { return { a() {}, "b.*": () => 1 }; } }, "__esModule", { value: true });',
  "plain-default.cjs": 'exports.default = { a() {}, "b.*": () => 1 };',
  "commonjs.js": 'module.exports = { a() {}, "b.*": () => 1 };',
} as const;

describe("a handlers module", () => {
  let modules: Record<"load" | "inspect", string>;
  beforeAll(() => {
    const folder = temporaryFolder().path;
    const compiled = (name: string): string =>
      compileModule(`delivery/handler/${name}.ts`, folder);
    modules = {
      load: compiled("load-handlers"),
      inspect: compiled("inspect-handlers"),
    };
  });

  /** Returns the event types of a module, as the service loads it and as commands inspect it. */
  function typesOf(name: string, source: string): unknown {
    const file = path.join(temporaryFolder().path, name);
    writeFileSync(file, source);
    const script = path.join(path.dirname(file), "run.mjs");
    writeFileSync(
      script,
      `import { loadHandlers } from "${modules.load}";
       import { inspectHandlers } from "${modules.inspect}";
       const all = await Promise.all([loadHandlers, inspectHandlers].map((read) => read(${JSON.stringify(file)})));
       console.log(JSON.stringify(all.map(Object.keys)));`,
    );
    const { stdout, stderr } = spawnSync(process.execPath, [script], {
      encoding: "utf8",
      env: environment({}),
    });
    expect(stderr).toBe("");
    return JSON.parse(stdout);
  }

  it.each(Object.entries(GOOD))("may be written as %s", (name, source) => {
    const types = ["a", "b.*"];
    expect(typesOf(name, source)).toEqual([types, types]);
  });

  it("may handle events of the type `default`", () => {
    const source = "module.exports = { default() {}, a() {} };";
    const types = ["default", "a"];
    expect(typesOf("default.cjs", source)).toEqual([types, types]);
  });
});

describe("a handlers module that cannot be used", () => {
  let folder: string;

  beforeAll(() => {
    folder = temporaryFolder().path;
  });

  it.each<[string, string, string | null, RegExp]>([
    [
      "is missing",
      "none.mjs",
      null,
      /cannot load .*none\.mjs: Cannot find module/,
    ],
    ["is a directory", ".", null, /cannot load /],
    [
      "has a syntax error",
      "syntax.mjs",
      "export default {\n",
      /cannot load .*syntax\.mjs: Unexpected end of input/,
    ],
    [
      "has a syntax error as CommonJS",
      "syntax.cjs",
      "module.exports = {\n",
      /cannot load .*syntax\.cjs: /,
    ],
    [
      "throws",
      "throws.mjs",
      'throw new Error("no\\u001b[31m\\u2028 way\\nsecond line");',
      /cannot load .*throws\.mjs: no\\u001b\[31m\\u2028 way$/,
    ],
    [
      "throws undefined",
      "undefined.mjs",
      "throw undefined;",
      /cannot load .*undefined\.mjs: undefined$/,
    ],
    [
      "throws an unreadable value",
      "hostile.mjs",
      "throw new Proxy({}, { get() { throw 1; }, has() { throw 1; }, getPrototypeOf() { throw 1; } });",
      /cannot load .*hostile\.mjs: (?:not an Error|1)$/,
    ],
    [
      "throws a long message",
      "long.mjs",
      'throw new Error("x".repeat(1_000_000));',
      /cannot load .*long\.mjs: x{900,}… \(\d+ characters\)$/,
    ],
    [
      "imports a missing module",
      "imports.mjs",
      'import "./missing.mjs"; export default {};',
      /cannot load .*imports\.mjs: Cannot find module .*missing\.mjs/,
    ],
    [
      "has no default export",
      "named.mjs",
      "export const a = () => 1;",
      /default export of .* not undefined$/,
    ],
    [
      "exports a function",
      "function.mjs",
      "export default () => 1;",
      /default export of .* not a function$/,
    ],
    [
      "exports a promise",
      "promise.mjs",
      "export default Promise.resolve({});",
      /default export of .* not a promise$/,
    ],
    [
      "exports an array",
      "array.mjs",
      "export default [];",
      /default export of .* not an array$/,
    ],
    [
      "exports null",
      "null.cjs",
      "module.exports = null;",
      /default export of .* not null$/,
    ],
    [
      "exports a function, compiled to CommonJS",
      "compiled.cjs",
      "exports.__esModule = true; exports.default = () => 1;",
      /default export of .* not a function$/,
    ],
    [
      "has an invalid event type",
      "pattern.mjs",
      'export default { "a*\\u001b[31mb": () => 1 };',
      /"a\*\\u001b\[31mb" in .* must be an event type/,
    ],
    [
      "has a value that is not a function",
      "value.mjs",
      "export default { a: {} };",
      /"a" in .* must be a function, not an object$/,
    ],
    [
      "has a generator function",
      "generator.mjs",
      "export default { async *a() {} };",
      /"a" in .* is a generator function/,
    ],
  ])(
    "ends serve with 78 and one line with the reason: it %s",
    async (_what, name, source, message) => {
      if (source !== null) {
        writeFileSync(path.join(folder, name), source);
      }
      const { code, stdout, stderr } = await hexhookProcess(["serve"], {
        cwd: folder,
        env: {
          HEX_SECRET: SECRET,
          HOST: "127.0.0.1",
          PORT: "0",
          ADMIN_PORT: "0",
          HANDLERS: name,
        },
      });
      expect([code, stdout]).toEqual([78, ""]);
      const lines = stderr.split("\n").filter((line) => !line.startsWith("{"));
      expect(lines).toEqual([expect.stringMatching(message), ""]);
      expect(lines[0]).toMatch(/^hexhook: HANDLERS: /);
      expect(lines[0]).toMatch(/^[\x20-\x7e…]+$/);
    },
  );
});
