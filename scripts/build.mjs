// Bundles src to dist, copies the SQL files, writes the JSON Schema of the configuration file, and declares the types that the package exports.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { build } from "esbuild";

process.chdir(path.join(import.meta.dirname, ".."));
rmSync("dist", { recursive: true, force: true });
// Checks and declares only what users see and edit; `npm run types` checks all files.
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const { status } = spawnSync(
  process.execPath,
  [tsc, "-p", "tsconfig.build.json"],
  { stdio: "inherit" },
);
if (status !== 0) {
  // An incomplete build must not look like a complete one.
  rmSync("dist", { recursive: true, force: true });
  process.exit(status ?? 1);
}
await bundle();
for (const store of ["sqlite", "postgres"]) {
  const migrations = `store/${store}/migrations`;
  cpSync(`src/${migrations}`, `dist/${migrations}`, { recursive: true });
}
chmodSync("dist/cli.js", 0o755);
const schema = spawnSync(
  process.execPath,
  ["dist/cli.js", "config", "schema"],
  { stdio: ["ignore", "pipe", "inherit"] },
);
if (schema.status !== 0) {
  rmSync("dist", { recursive: true, force: true });
  process.exit(schema.status ?? 1);
}
writeFileSync("dist/config.schema.json", schema.stdout);
keepExportedDeclarations("dist/index.d.ts");

/**
 * Bundles the program into a few files directly in dist. Node takes more than twice as long to load the modules one by one.
 * Packages stay outside of the bundle. So do the handlers: the file of an error's stack frame tells whether a handler
 * threw it.
 */
async function bundle() {
  const HANDLERS = "handlers/index";
  const options = {
    outdir: "dist",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    packages: "external",
    logLevel: "warning",
  };
  /** Replaces the imports of a module in src with imports of a file in dist. */
  const outside = (filter, file) => ({
    name: "outside",
    setup: ({ onResolve }) => {
      onResolve({ filter }, ({ kind }) =>
        kind === "entry-point" ? undefined : { path: file, external: true },
      );
    },
  });
  const entries = {
    cli: "cli.ts",
    index: "index.ts",
    "copy-thread": "store/sqlite/copy-thread.ts",
    "reader-thread": "store/sqlite/reader-thread.ts",
    "writer-thread": "store/sqlite/writer-thread.ts",
    // For tests that use a store in a process without a service.
    store: "store/open.ts",
    "sqlite-driver": "store/sqlite/driver.ts",
  };
  await build({
    ...options,
    entryPoints: Object.entries(entries).map(([out, file]) => ({
      in: `src/${file}`,
      out,
    })),
    plugins: [outside(/\/handlers\/index\.ts$/, `./${HANDLERS}.js`)],
  });
  await build({
    ...options,
    entryPoints: [{ in: `src/${HANDLERS}.ts`, out: HANDLERS }],
    plugins: [outside(/^\.\.\/index\.ts$/, "../index.js")],
  });
}

/**
 * Deletes every declaration that the entry file does not import, directly or indirectly. The deleted ones import packages
 * whose types users do not have. Also changes `.ts` in import specifiers, which tsc keeps, to `.js`, which every version of
 * TypeScript resolves.
 */
function keepExportedDeclarations(entry) {
  const reached = new Set([entry]);
  for (const file of reached) {
    const text = readFileSync(file, "utf8");
    const rewritten = text.replace(
      /((?:from |import\()")([^"]+)(")/g,
      (_all, before, specifier, after) => {
        if (specifier.startsWith("node:")) {
          return before + specifier + after;
        }
        if (!/^\.{1,2}\/.*\.ts$/.test(specifier)) {
          throw new Error(`${file} exports types of ${specifier}`);
        }
        const stem = specifier.replace(/\.ts$/, "");
        reached.add(path.join(path.dirname(file), `${stem}.d.ts`));
        return `${before}${stem}.js${after}`;
      },
    );
    writeFileSync(file, rewritten);
  }
  for (const name of readdirSync("dist", { recursive: true })) {
    const file = path.join("dist", name);
    if (file.endsWith(".d.ts") && !reached.has(file)) {
      rmSync(file);
    }
  }
}
