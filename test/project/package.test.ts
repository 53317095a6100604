import { beforeAll, describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { cloneProject } from "../support/clone.ts";
import { codeBlock, codeBlocks } from "../support/markdown.ts";
import { inProject, ROOT } from "../support/project.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { readTrail } from "../support/read-trail.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { serve } from "../support/processes.ts";

/** npm may compile a package, and may download what its cache does not have. */
const INSTALL_MS = 600_000;

const README = readFileSync(inProject("README.md"), "utf8");
const HANDLERS = readFileSync(inProject("docs", "handlers.md"), "utf8");

/** The project of a user that has installed the package. */
let folder: string;
/** What the documented commands of the installation have printed. */
let installed: string;
/** The files of the package. */
let files: readonly string[];

/** Runs commands as if pasted into a terminal. Returns their standard output. */
function paste(commands: string, cwd: string): string {
  const env = Object.fromEntries(
    // eslint-disable-next-line no-restricted-properties -- npm needs its cache, its registry and a proxy if any
    Object.entries(process.env).filter(
      // `npm test` sets these for this package. They would be wrong in the other directory.
      ([name]) =>
        !/^npm_(?:package_|lifecycle_|config_local_prefix$)/.test(name),
    ),
  );
  const result = spawnSync("bash", ["-e", "-c", commands], {
    cwd,
    env: {
      ...env,
      npm_config_prefer_offline: "true",
      npm_config_audit: "false",
      npm_config_fund: "false",
      npm_config_update_notifier: "false",
    },
    encoding: "utf8",
  });
  expect({ ...result, stdout: "" }).toMatchObject({ status: 0 });
  return result.stdout;
}

/** Links packages of this project into that of the user, as if they were installed. */
function link(...names: string[]): void {
  for (const name of names) {
    const place = path.join(folder, "node_modules", name);
    mkdirSync(path.dirname(place), { recursive: true });
    symlinkSync(inProject("node_modules", name), place);
  }
}

beforeAll(() => {
  const parent = temporaryFolder().path;
  folder = path.join(parent, "my-project");
  installed = paste(
    codeBlock(HANDLERS, "sh", "npm pack"),
    cloneProject(parent),
  );
  const root = path.join(folder, "node_modules", "hexhook");
  files = readdirSync(root, { recursive: true, withFileTypes: true }).flatMap(
    (entry) =>
      entry.isFile()
        ? [path.relative(root, path.join(entry.parentPath, entry.name))]
        : [],
  );
  link("@types/node", "typescript", ".bin/tsc");
}, INSTALL_MS);

describe("the package", () => {
  it("contains what it needs at run time, the documents, and nothing else", () => {
    const migrations = ["sqlite", "postgres"].flatMap((store) => {
      const folder = `store/${store}/migrations`;
      return readdirSync(path.join(ROOT, "src", folder)).map(
        (name) => `dist/${folder}/${name}`,
      );
    });
    const docs = readdirSync(path.join(ROOT, "docs"), {
      recursive: true,
      withFileTypes: true,
    }).flatMap((entry) =>
      entry.isFile()
        ? [path.relative(ROOT, path.join(entry.parentPath, entry.name))]
        : [],
    );
    expect(files).toEqual(
      expect.arrayContaining([
        "dist/cli.js",
        "dist/config.schema.json",
        "dist/index.js",
        "dist/index.d.ts",
        ...migrations,
        ...docs,
        ".env.example",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "SECURITY.md",
        "package.json",
      ]),
    );
    const others = files.filter(
      (file) =>
        !/^(?:dist\/.*\.(?:js|d\.ts|sql)|dist\/config\.schema\.json|docs\/.*|[^/]*)$/.test(
          file,
        ) ||
        // The script that docs/backup-and-recovery.md has operators run is the one program outside of dist.
        (!file.startsWith("dist/") &&
          file !== "docs/recover-store.mjs" &&
          /\.(?:m?[jt]s|tgz)$/.test(file)),
    );
    expect(others).toEqual([]);
    for (const file of files.filter((name) => name.endsWith(".js"))) {
      const text = readFileSync(path.join(ROOT, file), "utf8");
      expect([file, text.includes("sourceMappingURL")]).toEqual([file, false]);
    }
  });

  it("runs no script when it is installed", () => {
    const { scripts } = JSON.parse(
      readFileSync(path.join(ROOT, "package.json"), "utf8"),
    ) as { scripts: object };
    for (const name of ["preinstall", "install", "postinstall"]) {
      expect(scripts).not.toHaveProperty(name);
    }
  });

  it("runs the demo in another project, and leaves no files there", () => {
    expect(installed).toContain("Everything worked as expected.");
    const [, example = ""] = /1\. cp (\S+) \.env/.exec(installed) ?? [];
    expect(example).toBe("node_modules/hexhook/.env.example");
    expect(existsSync(path.join(folder, example))).toBe(true);
    expect(installed).toContain("npx hexhook serve");
    expect(installed).not.toMatch(/FAIL {2}|npm start|src\//);
    expect(
      readdirSync(folder).filter((name) => !name.endsWith(".tgz")),
    ).toEqual(["node_modules", "package-lock.json", "package.json"]);
  });

  it("has type declarations that import nothing else but Node's types", () => {
    const declarations = files.filter((file) => file.endsWith(".d.ts"));
    const reached = new Set(["dist/index.d.ts"]);
    const outside: string[] = [];
    for (const file of reached) {
      const text = readFileSync(
        path.join(folder, "node_modules", "hexhook", file),
        "utf8",
      );
      const all = text.matchAll(/(?:from |import\()"([^"]+)"/g);
      for (const [, from = ""] of all) {
        if (/^\.{1,2}\/.*\.js$/.test(from)) {
          const place = path.join(path.dirname(file), from);
          reached.add(place.replace(/\.js$/, ".d.ts"));
        } else if (!from.startsWith("node:")) {
          outside.push(`${file}: ${from}`);
        }
      }
    }
    expect(outside).toEqual([]);
    expect([...reached].sort()).toEqual([...declarations].sort());
  });
});

/** Serves a compiled handlers module of the user's project until a handler has handled an event. Returns the operational log. */
async function handle(
  module: string,
  pattern: string,
  body: Buffer,
): Promise<string> {
  const database = `${module}.db`;
  const service = await serve(
    folder,
    { HANDLERS: module, DATABASE_URL: `sqlite:${database}` },
    [],
    path.join(folder, "node_modules/hexhook/dist/cli.js"),
  );
  await service.post(body, signed(body));
  const file = path.join(folder, database);
  await eventually(async () =>
    (await readTrail(file)).some(
      ({ action, resource }) =>
        action === "delivery.succeeded" &&
        resource === `/destinations/handler:${pattern}`,
    ),
  );
  await service.stop();
  return service.stderr();
}

/** An event with the payload that the documents declare. */
const INVOICE = Buffer.from(
  JSON.stringify({
    id: "evt_1",
    type: "invoice.paid",
    data: { customer: "cus_7", amount: 1200 },
  }),
);

describe("the documented handlers module in TypeScript", () => {
  const commands = codeBlock(HANDLERS, "sh", "npx tsc");

  it("compiles with the documented command, and runs", async () => {
    // `link` has installed the packages.
    expect(commands).toMatch(/^npm i -D typescript @types\/node\n/);
    const [, compile = ""] = commands.split("\n");
    const [example = ""] = codeBlocks(HANDLERS, "ts");
    writeFileSync(path.join(folder, "my-handlers.mts"), example);
    paste(compile, folder);
    const stderr = await handle("my-handlers.mjs", "invoice.paid", INVOICE);
    expect(stderr).toMatch(/"customer":"cus_7".*"msg":"invoice paid"/);
  });
});

describe.each([
  ["nodenext", "nodenext"],
  ["esnext", "bundler"],
])("a handlers module in TypeScript (%s, %s)", (module, moduleResolution) => {
  /** Two valid modules, and one that uses everything wrongly: compiled together, since that takes seconds. */
  const MODULES = {
    [`${moduleResolution}.mts`]: `
      import { defineHandlers, type Handler, type HandlerEvent, type Handlers } from "hexhook";
      const amountOf = (event: HandlerEvent): unknown => event.payload["amount"];
      const other: Handler = (event) => event.payload["other"];
      export const handlers: Handlers = { other };
      export default defineHandlers({
        "invoice.*": async (event, { signal, attempt, logger }) => {
          const at: Date = event.receivedAt;
          const bytes: Buffer = event.rawBody;
          logger.info({ amount: amountOf(event), at, bytes: bytes.length, attempt: attempt + 1 }, "paid");
          signal.throwIfAborted();
        },
      });`,
    [`${moduleResolution}-readme.mts`]: codeBlocks(README, "ts").join(""),
    "wrong.mts": `import { defineHandlers, type HandlerEvent } from "hexhook";
export default defineHandlers({
  "not.a.function": 1,
  "no.such.member": (event) => event.colour,
  "wrong.use": (event) => event.id.toFixed(),
  "not.a.number": (event) => event.rawBody.length.trim(),
  "not.declared": (event) => event.payload["data"].amount,
});
type Paid = { data: { amount: number } };
defineHandlers<{ "invoice.paid": Paid }>({
  "invoice.paid": (event) => event.payload.data.total,
});
defineHandlers<{ "invoice.paid": Paid }>({
  "invoice.paid": (event: HandlerEvent<{ data: string }>) => event.payload.data,
});
defineHandlers<{ "invoice.paid": Paid }>({
  "invoice.paid": (event) => event.payload.data.amount.toFixed(),
  "not.in.the.map": (event: HandlerEvent) => event.id,
});`,
  };
  /** The errors of the compiler. */
  let errors: readonly string[];

  beforeAll(() => {
    for (const [name, text] of Object.entries(MODULES)) {
      writeFileSync(path.join(folder, name), text);
    }
    const project = path.join(folder, "tsconfig.handlers.json");
    writeFileSync(
      project,
      JSON.stringify({
        compilerOptions: {
          target: "es2022",
          module,
          moduleResolution,
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          // The declarations of the package are checked once. With those of Node, this takes most of the time.
          skipLibCheck: module !== "nodenext",
        },
        files: Object.keys(MODULES),
      }),
    );
    const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
    const { stdout } = spawnSync(process.execPath, [tsc, "-p", project], {
      cwd: folder,
      encoding: "utf8",
    });
    errors = stdout.split("\n").filter((line) => /^\S/.test(line));
  });

  it("gets its types from the package, and runs", async () => {
    expect(errors.filter((line) => !line.startsWith("wrong.mts("))).toEqual([]);
    const body = eventBody("evt_1", "invoice.paid");
    const stderr = await handle(`${moduleResolution}.mjs`, "invoice.*", body);
    expect(stderr).toContain('"msg":"paid"');
  });

  it("runs with the payload that the README declares", async () => {
    const stderr = await handle(
      `${moduleResolution}-readme.mjs`,
      "invoice.paid",
      INVOICE,
    );
    expect(stderr).toMatch(/"amount":1200.*"msg":"invoice paid"/);
  });

  it("fails to compile with an error for each wrong use", () => {
    const wrong = errors.flatMap((line) => {
      const [, at] = /^wrong\.mts\((\d+),\d+\): error TS/.exec(line) ?? [];
      return at === undefined ? [] : [Number(at)];
    });
    expect(wrong).toEqual([3, 4, 5, 6, 7, 11, 14, 18]);
    expect(errors.join()).not.toMatch(/node_modules|implicitly/);
  });
});
