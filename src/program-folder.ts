/**
 * The directory of this program, `src` or `dist`, as a URL that ends with a slash. The build bundles this module into files
 * directly in `dist` (scripts/build.mjs), so the directory is the same for every module.
 */
export const PROGRAM_FOLDER = new URL("./", import.meta.url);
