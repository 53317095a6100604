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
import { ROOT } from "../support/project.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { readTrail } from "../support/read-trail.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { serve } from "../support/processes.ts";

/** npm may compile, and fetch what its cache does not have. */
const INSTALL_MS = 600_000;

let packed: ReturnType<typeof temporaryFolder>;
/** A project of a user, which has installed the tarball with npm. */
let folder: ReturnType<typeof temporaryFolder>;
/** The files of the tarball, relative to the package. */
let files: readonly string[];

function run(command: string, args: readonly string[], cwd: string): string {
  const env = Object.fromEntries(
    // eslint-disable-next-line no-restricted-properties -- npm needs its cache, its registry and a proxy if any
    Object.entries(process.env).filter(
      // What `npm test` says of this package is not true of the other folder.
      ([name]) =>
        !/^npm_(?:package_|lifecycle_|config_local_prefix$)/.test(name),
    ),
  );
  const result = spawnSync(command, args, { cwd, env, encoding: "utf8" });
  expect({ ...result, stdout: "" }).toMatchObject({ status: 0 });
  return result.stdout;
}

beforeAll(() => {
  packed = temporaryFolder();
  folder = temporaryFolder();
  // Without prepack: a build would take dist away from the tests beside this one.
  const args = ["--ignore-scripts", "--json", "--pack-destination"];
  const [tarball] = JSON.parse(
    run("npm", ["pack", ...args, packed.path], ROOT),
  ) as [{ filename: string; files: { path: string }[] }];
  files = tarball.files.map((file) => file.path);
  const file = path.join(packed.path, tarball.filename);
  const quick = ["--prefer-offline", "--no-audit", "--no-fund"];
  run("npm", ["i", ...quick, file], folder.path);
}, INSTALL_MS);

describe("the package", () => {
  it("has what it needs at run time and what a reader looks for, and nothing else", () => {
    const migrations = readdirSync(
      path.join(ROOT, "src/store/sqlite/migrations"),
    );
    const docs = readdirSync(path.join(ROOT, "docs"));
    expect(files).toEqual(
      expect.arrayContaining([
        "dist/cli.js",
        "dist/index.js",
        "dist/index.d.ts",
        ...migrations.map((name) => `dist/store/sqlite/migrations/${name}`),
        ...docs.map((name) => `docs/${name}`),
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
        !/^(?:dist\/.*\.(?:js|d\.ts|sql)|docs\/.*|[^/]*)$/.test(file) ||
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

  it("runs nothing when it is installed", () => {
    const { scripts } = JSON.parse(
      readFileSync(path.join(ROOT, "package.json"), "utf8"),
    ) as { scripts: object };
    for (const name of ["preinstall", "install", "postinstall"]) {
      expect(scripts).not.toHaveProperty(name);
    }
  });

  it("shows the demo in an empty folder, and leaves nothing there", () => {
    const before = readdirSync(folder.path);
    const stdout = run("npx", ["hexhook", "demo"], folder.path);
    expect(stdout).toContain("All went as it should.");
    const [, example = ""] = /1\. cp (\S+) \.env/.exec(stdout) ?? [];
    expect(example).toBe("node_modules/hexhook/.env.example");
    expect(existsSync(path.join(folder.path, example))).toBe(true);
    expect(stdout).toContain("npx hexhook serve");
    expect(stdout).not.toMatch(/FAIL {2}|npm start|src\//);
    expect(readdirSync(folder.path)).toEqual(before);
  });

  it("has declarations that reach nothing outside it but Node's", () => {
    const installed = path.join(folder.path, "node_modules", "hexhook");
    const declarations = files.filter((file) => file.endsWith(".d.ts"));
    const reached = new Set(["dist/index.d.ts"]);
    const outside: string[] = [];
    for (const file of reached) {
      const text = readFileSync(path.join(installed, file), "utf8");
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

describe.each([
  ["nodenext", "nodenext"],
  ["esnext", "bundler"],
])("a handlers module in TypeScript (%s, %s)", (module, moduleResolution) => {
  /** The module, and one that uses everything wrongly: compiled at once, since that takes seconds. */
  const MODULES = {
    [`${moduleResolution}.mts`]: `
      import { defineHandlers, type HandlerEvent } from "hexhook";
      const amountOf = (event: HandlerEvent): unknown => event.payload["amount"];
      export default defineHandlers({
        "invoice.*": async (event, { signal, attempt, logger }) => {
          const at: Date = event.receivedAt;
          const bytes: Buffer = event.rawBody;
          logger.info({ amount: amountOf(event), at, bytes: bytes.length, attempt: attempt + 1 }, "paid");
          signal.throwIfAborted();
        },
      });`,
    "wrong.mts": `import { defineHandlers } from "hexhook";
export default defineHandlers({
  "not.a.function": 1,
  "no.such.member": (event) => event.colour,
  "wrong.use": (event) => event.id.toFixed(),
  "not.a.number": (event) => event.rawBody.length.trim(),
});`,
  };
  /** What the compiler says. */
  let errors: readonly string[];

  beforeAll(() => {
    // The user has TypeScript and Node's types of these files' own, and no other types.
    const types = path.join(folder.path, "node_modules", "@types");
    if (!existsSync(types)) {
      mkdirSync(types);
      symlinkSync(
        path.join(ROOT, "node_modules", "@types", "node"),
        path.join(types, "node"),
      );
    }
    for (const [name, text] of Object.entries(MODULES)) {
      writeFileSync(path.join(folder.path, name), text);
    }
    writeFileSync(
      path.join(folder.path, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          target: "es2022",
          module,
          moduleResolution,
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          skipLibCheck: false,
        },
        files: Object.keys(MODULES),
      }),
    );
    const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
    const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder.path], {
      cwd: folder.path,
      encoding: "utf8",
    });
    errors = stdout.split("\n").filter((line) => /^\S/.test(line));
  });

  it("gets its types from the package, and runs", async () => {
    expect(errors.filter((line) => !line.startsWith("wrong.mts("))).toEqual([]);
    const database = `${moduleResolution}.db`;
    const service = await serve(
      folder.path,
      {
        HANDLERS: `${moduleResolution}.mjs`,
        DATABASE_URL: `sqlite:${database}`,
      },
      [],
      path.join(folder.path, "node_modules/hexhook/dist/cli.js"),
    );
    const body = eventBody("evt_1", "invoice.paid");
    await service.post(body, signed(body));
    const file = path.join(folder.path, database);
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

  it("is refused for each wrong use when it is compiled", () => {
    const wrong = errors.flatMap((line) => {
      const [, at] = /^wrong\.mts\((\d+),\d+\): error TS/.exec(line) ?? [];
      return at === undefined ? [] : [Number(at)];
    });
    expect(wrong).toEqual([3, 4, 5, 6]);
    expect(errors.join()).not.toMatch(/node_modules|implicitly/);
  });
});
