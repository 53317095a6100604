import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { parseEnv } from "node:util";
import { fingerprintOf } from "./fingerprint.ts";
import { looksRandom } from "./key-shape.ts";

/** Files like these hold no real values, and belong into git. */
const EXAMPLE = /\.(?:example|sample|template|dist|defaults?|tpl)$/i;

const SECRET_NAME = /(?:SECRET|KEY|TOKEN|PASSWORD|PASSWD)(?:_PREVIOUS)?$/i;

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

/** The secrets in the `.env` files of a folder, with their values. */
export async function readEnvSecrets(folder: string): Promise<EnvSecret[]> {
  const names = (await readdir(folder)).filter(isEnvFile).sort();
  const files = await Promise.all(
    names.map(async (file) => ({
      file,
      text: await readFile(path.join(folder, file), "utf8").catch(() => ""),
    })),
  );
  return files.flatMap(({ file, text }) =>
    Object.entries(parseEnv(text)).flatMap(([name, value]): EnvSecret[] =>
      value && SECRET_NAME.test(name)
        ? [
            {
              file,
              environment: file.split(".")[2] ?? null,
              name,
              value,
              line: lineOf(text, name),
            },
          ]
        : [],
    ),
  );
}

function lineOf(text: string, name: string): number {
  const assigned = new RegExp(`^\\s*(?:export\\s+)?${name}\\s*=`);
  return text.split("\n").findIndex((line) => assigned.test(line)) + 1;
}

/** The values that are worth looking for elsewhere: those that could not stand there by chance. */
export function distinctiveValues(values: readonly string[]): string[] {
  const distinctive = values.filter(
    (value) => value.length >= 24 || looksRandom(value),
  );
  return [...new Set(distinctive)];
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
          `${one.file}:${one.line} ${one.name} is the same as ${other.file}:${other.line} ${other.name} (fingerprint ${fingerprintOf(one.value)})`,
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
