// Compiles src to dist, copies the SQL files, writes the JSON Schema of the configuration file, and deletes the declarations that the package does not export.
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

process.chdir(path.join(import.meta.dirname, ".."));
rmSync("dist", { recursive: true, force: true });
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
for (const store of ["sqlite", "postgres"]) {
  const migrations = `store/${store}/migrations`;
  cpSync(`src/${migrations}`, `dist/${migrations}`, { recursive: true });
}
chmodSync("dist/cli.js", 0o755);
const { configJsonSchema } = await import("../dist/config/config-schema.js");
writeFileSync(
  "dist/config.schema.json",
  `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
);
keepExportedDeclarations("dist/index.d.ts");

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
