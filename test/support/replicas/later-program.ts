import { cpSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { inProject } from "../project.ts";

/** Copies the built program, and adds a migration as a later version would. Returns the path of its program file. */
export function laterProgram(folder: string, migration: string): string {
  cpSync(inProject("dist"), path.join(folder, "dist"), { recursive: true });
  cpSync(inProject("package.json"), path.join(folder, "package.json"));
  symlinkSync(inProject("node_modules"), path.join(folder, "node_modules"));
  const migrations = path.join(folder, "dist/store/postgres/migrations");
  const number = readdirSync(migrations).length + 1;
  const name = `${String(number).padStart(4, "0")}-later.sql`;
  writeFileSync(path.join(migrations, name), migration);
  return path.join(folder, "dist/cli.js");
}
