import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { ROOT } from "./project.ts";

/** What a clone needs after `npm ci && npm run build`. Without the sources, no command builds again. */
const COPIED = [
  ".env.example",
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "SECURITY.md",
  "dist",
  "docs",
  "package.json",
  "scripts",
];

/** Makes a clone of the project in a new directory, installed and built. Returns its path. */
export function cloneProject(parent: string): string {
  const clone = path.join(parent, "hexhook");
  mkdirSync(clone);
  for (const name of COPIED) {
    cpSync(path.join(ROOT, name), path.join(clone, name), { recursive: true });
  }
  symlinkSync(
    path.join(ROOT, "node_modules"),
    path.join(clone, "node_modules"),
  );
  return clone;
}
