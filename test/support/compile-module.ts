import { buildSync } from "esbuild";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { inProject } from "./project.ts";

/**
 * Compiles a module of `src` and everything that it imports into one file in `folder`, for a process that runs it without the
 * rest of the program. The module must not import packages. Returns the URL of the file.
 */
export function compileModule(module: string, folder: string): string {
  const outfile = path.join(folder, `${path.basename(module, ".ts")}.mjs`);
  buildSync({
    entryPoints: [inProject("src", module)],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
  });
  return pathToFileURL(outfile).href;
}
