import { build } from "esbuild";

/** Imports a module of src, which must not import packages. */
export async function importSource(file) {
  const { outputFiles } = await build({
    entryPoints: [`src/${file}`],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
  });
  const code = Buffer.from(outputFiles[0].contents).toString("base64");
  return import(`data:text/javascript;base64,${code}`);
}
