import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { parseEnvFile } from "../config/env-file.ts";
import { decode } from "./decode.ts";
import { fingerprintOf } from "../domain/key-id.ts";
import { looksRandom } from "./key-shape.ts";

const MAX_BYTES = 1_048_576;

/** Example files, which contain no real values and may be in git. */
const EXAMPLE = /\.(?:example|sample|template|dist|defaults?|tpl)$/i;

/** Names of variables that certainly hold a secret. */
const SECRET_NAME =
  /(?:SECRET|TOKEN|PASSWORD|PASSWD|PASS|(?:API|READ|WRITE|SIGNING|PRIVATE)_KEY)(?:_PREVIOUS|_OLD|_NEXT)?$/i;

/** Names of variables that hold a secret only if the value is long or random. Others are public keys or column names, for example. */
const KEY_NAME = /KEY(?:_PREVIOUS|_OLD|_NEXT)?$/i;
const PUBLIC_NAME = /PUBLIC|SITE_KEY/i;

/** Whether a file is `.env` or `.env.NAME`, but not an example. */
export function isEnvFile(file: string): boolean {
  return /^\.env(?:\..+)?$/.test(path.basename(file)) && !EXAMPLE.test(file);
}

/** A secret in a `.env` file. */
export interface EnvSecret {
  readonly file: string;
  /** `production` for `.env.production` and `.env.production.local`; null for `.env` itself. */
  readonly environment: string | null;
  readonly name: string;
  readonly value: string;
  readonly line: number;
}

/** The content of the `.env` files of a directory. */
export interface EnvFiles {
  readonly secrets: readonly EnvSecret[];
  /** One message for each line that `serve` would reject. */
  readonly unread: readonly string[];
}

/** Reads the secrets in the `.env` files of a directory, and in files that their NAME_FILE variables name. */
export async function readEnvFiles(folder: string): Promise<EnvFiles> {
  const names = (await readdir(folder)).filter(isEnvFile).sort();
  const files = await Promise.all(
    names.map(async (file) => ({
      file,
      ...parseEnvFile(await readText(folder, file)),
    })),
  );
  const variables = files.flatMap(({ file, entries }) =>
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
    secrets: (await Promise.all(variables)).filter(isSecret),
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

/** Reads a file. Returns "" if it is not readable, or not a regular file, because reading a pipe could block. */
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

/** Returns the environment in a file name. Returns null for `.env` and `.env.local`, whose environment is unknown. */
function environmentOf(file: string): string | null {
  const [, , name = "local"] = file.split(".");
  return name === "local" ? null : name;
}

/** Returns the values that are long or random enough to search for: others could occur in a file by chance. */
export function distinctiveValues(values: readonly string[]): string[] {
  return [...new Set(values.filter(isDistinctive))];
}

function isDistinctive(value: string): boolean {
  return value.length >= 24 || looksRandom(value);
}

/** Returns the fingerprint of a value, for messages. Returns "" for a short value, which could be guessed from its fingerprint. */
function fingerprintNote(value: string): string {
  return isDistinctive(value) ? ` (fingerprint ${fingerprintOf(value)})` : "";
}

/** Returns a message for each secret that is in the files of two environments. */
export function sharedSecrets(secrets: readonly EnvSecret[]): string[] {
  const inEnvironments = secrets.filter(
    ({ environment }) => environment !== null,
  );
  return inEnvironments.flatMap((one, index) => {
    const other = inEnvironments
      .slice(0, index)
      .find(
        ({ environment, value }) =>
          environment !== one.environment && value === one.value,
      );
    return other === undefined
      ? []
      : [
          `${one.file}:${one.line} ${one.name} is the same as ${other.file}:${other.line} ${other.name}${fingerprintNote(one.value)}`,
        ];
  });
}

/** Returns a message for each live key in a file of an environment other than production. */
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
        `${file}:${line} ${name} is a live key (sk_live_...) outside production, in ${environment ?? ""}`,
    );
}
