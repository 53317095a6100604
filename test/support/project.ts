import path from "node:path";

/** The folder of the project. */
export const ROOT = path.join(import.meta.dirname, "..", "..");

/** A file or folder of the project, by its path from there. */
export const inProject = (...names: string[]): string =>
  path.join(ROOT, ...names);
