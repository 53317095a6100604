import path from "node:path";

/** The directory of the project. */
export const ROOT = path.join(import.meta.dirname, "..", "..");

/** Returns the path of a file or directory of the project. */
export const inProject = (...names: string[]): string =>
  path.join(ROOT, ...names);
