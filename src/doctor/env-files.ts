import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { parseEnvFile } from "../config/env-file.ts";
import { decode } from "./decode.ts";
import { fingerprintOf } from "../domain/key-id.ts";
import { looksRandom } from "./key-shape.ts";

const MAX_BYTES = 1_048_576;

/** Files like these hold no real values, and belong into git. */
const EXAMPLE = /\.(?:example|sample|template|dist|defaults?|tpl)$/i;

/** Names of what is a secret for sure. */
const SECRET_NAME =
  /(?:SECRET|TOKEN|PASSWORD|PASSWD|PASS|(?:API|READ|WRITE|SIGNING|PRIVATE)_KEY)(?:_PREVIOUS|_OLD|_NEXT)?$/i;

/** Names of what may be one, if it looks like one: many a KEY is public, or the name of a column. */
const KEY_NAME = /KEY(?:_PREVIOUS|_OLD|_NEXT)?$/i;
const PUBLIC_NAME = /PUBLIC|SITE_KEY/i;

/** Whether a path is that of `.env` or `.env.NAME`, other than an example. */
export function isEnvFile(file: string): boolean {
  return /^\.env(?:\..+)?$/.test(path.basename(file)) && !EXAMPLE.test(file);
}

/** A secret that a `.env` file of an environment holds. */
export interface EnvSecret {
  readonly file: string;
  /** `production` for `.env.production` and `.env.production.local`; null for `.env` itself. */
  readonly environment: string | null;
  readonly name: string;
  readonly value: string;
  readonly line: number;
}

/** What the `.env` files of a folder hold. */
export interface EnvFiles {
  readonly secrets: readonly EnvSecret[];
  /** A line for each place that `serve` would not read either. */
  readonly unread: readonly string[];
}

/** The secrets in the `.env` files of a folder, with their values, also of files that NAME_FILE names there. */
export async function readEnvFiles(folder: string): Promise<EnvFiles> {
  const names = (await readdir(folder)).filter(isEnvFile).sort();
  const files = await Promise.all(
    names.map(async (file) => ({
      file,
      ...parseEnvFile(await readText(folder, file)),
    })),
  );
  const given = files.flatMap(({ file, entries }) =>
    entries.map(async ({ name, value, line }) => ({
      file,
      environment: environmentOf(file),
      name,
      value: name.endsWith("_FILE")
        ? (await readText(folder, value)).trim()
        : value,
      line,
    })),
  );
  return {
    secrets: (await Promise.all(given)).filter(isSecret),
    unread: files.flatMap(({ file, errors }) =>
      errors.map(({ line, text }) => `${file}:${line} ${text}`),
    ),
  };
}

function isSecret({ name, value }: EnvSecret): boolean {
  const base = name.replace(/_FILE$/, "");
  return (
    value !== "" &&
    (SECRET_NAME.test(base) ||
      (KEY_NAME.test(base) && !PUBLIC_NAME.test(base) && isDistinctive(value)))
  );
}

/** Empty for what cannot be read, or is no file: a pipe would be waited for. */
async function readText(folder: string, name: string): Promise<string> {
  const file = path.resolve(folder, name);
  try {
    const { size, isFile } = await stat(file).then((found) => ({
      size: found.size,
      isFile: found.isFile(),
    }));
    return isFile && size <= MAX_BYTES
      ? decode(await readFile(file)).text.replace(/^\ufeff/, "")
      : "";
  } catch {
    return "";
  }
}

/** Of `.env` and of `.env.local`, which goes over any, nobody knows. */
function environmentOf(file: string): string | null {
  const [, , name = "local"] = file.split(".");
  return name === "local" ? null : name;
}

/** The values that are worth looking for elsewhere: those that could not stand there by chance. */
export function distinctiveValues(values: readonly string[]): string[] {
  return [...new Set(values.filter(isDistinctive))];
}

function isDistinctive(value: string): boolean {
  return value.length >= 24 || looksRandom(value);
}

/** A short one could be guessed from it. */
function named(value: string): string {
  return isDistinctive(value) ? ` (fingerprint ${fingerprintOf(value)})` : "";
}

/** A line for each secret that files of two environments have in common. */
export function sharedSecrets(secrets: readonly EnvSecret[]): string[] {
  const apart = secrets.filter(({ environment }) => environment !== null);
  return apart.flatMap((one, index) => {
    const other = apart
      .slice(0, index)
      .find(
        ({ environment, value }) =>
          environment !== one.environment && value === one.value,
      );
    return other === undefined
      ? []
      : [
          `${one.file}:${one.line} ${one.name} is the same as ${other.file}:${other.line} ${other.name}${named(one.value)}`,
        ];
  });
}

/** A line for each live key in the file of another environment than production. */
export function misplacedKeys(secrets: readonly EnvSecret[]): string[] {
  return secrets
    .filter(
      ({ environment, value }) =>
        environment !== null &&
        !/^prod/i.test(environment) &&
        /^sk_live_/.test(value),
    )
    .map(
      ({ file, line, name, environment }) =>
        `${file}:${line} ${name} is a live key (sk_live_...) in ${environment ?? ""}`,
    );
}
