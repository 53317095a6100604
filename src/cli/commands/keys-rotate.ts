import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { loadHexApi, readEnvironment } from "../../config/load-config.ts";
import {
  HEX_KEY_VARIABLES,
  type HexApiConfig,
  type HexKey,
  type HexKeyVariable,
} from "../../config/hex-api.ts";
import { readSecretFile } from "../../config/secret.ts";
import { keyIdOf } from "../../domain/key-id.ts";
import { ConfigError, EXIT, UsageError } from "../../errors.ts";
import { proveKey } from "../../hex-api/prove-key.ts";
import { awaitReload } from "../../key-rotation/await-reload.ts";
import { replaceFile } from "../../key-rotation/replace-file.ts";
import {
  rotateKey,
  type RotationResult,
  type RotationStep,
} from "../../key-rotation/rotate-key.ts";
import type { Store } from "../../store/port.ts";
import { displayOf } from "../../terminal/display.ts";
import { visible, wrapText } from "../../terminal/terminal-text.ts";
import { commandClientOptions } from "../hex-client.ts";
import { obtainNewKey, requireNewKey } from "../input/new-key.ts";
import { operatorOption, defaultOperator } from "../options/operator.ts";
import { withOperatorStore } from "../store/operator-store.ts";
import { parseCount } from "../options/parse.ts";
import { SYSTEM } from "../system.ts";
import { onSignal } from "../on-signal.ts";
import { ignoreOutputErrors } from "../ui/report.ts";
import { type Io, writeLine } from "../io.ts";

interface Options {
  readonly key?: HexKeyVariable;
  readonly from?: string;
  readonly within: number;
  readonly offline?: true;
  readonly as?: string;
  readonly json?: true;
}

/** The key to rotate, and its file. */
interface KeyInFile {
  readonly key: HexKey;
  readonly file: string;
}

export function addKeysRotate(keys: Command, io: Io): void {
  keys
    .command("rotate")
    .description("replace a key of the Hex API, step by step")
    .addOption(
      new Option(
        "--key <variable>",
        "the variable of the key (default: the one that has a file)",
      ).choices(HEX_KEY_VARIABLES),
    )
    .option(
      "--from <file>",
      "read the new key from a file (- = standard input) instead of asking",
    )
    .option(
      "--within <seconds>",
      "how long to wait for the service to reload",
      parseCount,
      30,
    )
    .option(
      "--offline",
      "no service is running: the next start reads the new key",
    )
    .addOption(operatorOption())
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      `
First create the new key in the Hex dashboard, with the same scopes. Do not
revoke the old one yet. The command checks the new key against /health and
writes it to the file that NAME_FILE names. The running service reloads it by
itself. Then the command checks the key again. If a step fails or is
interrupted, the old key is kept or restored.
Exit status: 0 the new key is in use, 1 a step failed, 64 no usable new key was
given, 78 the key has no file.`,
    )
    .action((options: Options) => rotate(io, options));
}

async function rotate(io: Io, options: Options): Promise<void> {
  const env = readEnvironment(io.env);
  const config = loadHexApi(env);
  const rotated = keyInFile(config, env, options.key);
  const { key } = rotated;
  const say = createReporter(io, options.json ?? false);
  say(
    { variable: key.variable, keyId: key.keyId },
    `replacing ${key.variable} ${key.keyId}`,
  );
  const newKey = await obtainNewKey(io, options.from, key.variable);
  requireNewKey(newKey, config, key.variable);
  const newKeyId = keyIdOf(newKey);
  const operator = options.as ?? defaultOperator();
  const stop = new AbortController();
  const interrupt = (): void => {
    stop.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    onSignal(io.signals, signal, interrupt);
  }
  ignoreOutputErrors(io);
  const result = await withOperatorStore(
    io,
    { command: "keys rotate", operator },
    (store) =>
      run(store, {
        config,
        rotated,
        newKey,
        operator,
        signal: stop.signal,
        reloadWithinMs: options.offline ? null : options.within * 1000,
        onStep: (step, detail) => {
          say({ step, ok: true, keyId: newKeyId }, `ok      ${detail}`);
        },
      }),
    { create: true },
  );
  conclude(result, { key, newKeyId, say });
  if (!result.ok) {
    io.setExitCode(EXIT.checkFailed);
  }
}

interface Run {
  readonly config: HexApiConfig;
  readonly rotated: KeyInFile;
  readonly newKey: string;
  readonly operator: string;
  readonly signal: AbortSignal;
  /** Null: no service is running. */
  readonly reloadWithinMs: number | null;
  readonly onStep: (step: RotationStep, detail: string) => void;
}

async function run(store: Store, rotation: Run): Promise<RotationResult> {
  const { rotated, newKey, signal, reloadWithinMs: withinMs } = rotation;
  const { key, file } = rotated;
  const client = commandClientOptions(
    rotation.config,
    store,
    rotation.operator,
  );
  const position = await store.lastPosition();
  const expected = {
    position,
    variable: key.variable,
    keyId: keyIdOf(newKey),
  };
  return rotateKey(
    {
      prove: (candidate) => proveKey(client, candidate, signal),
      replace: (fresh) => replaceFile(file, `${fresh}${newlineOf(file)}`),
      read: () => {
        const read = readSecretFile(file);
        if ("error" in read) {
          throw new Error(`${key.variable}_FILE ${read.error}`);
        }
        return read.value;
      },
      reloaded:
        withinMs === null
          ? null
          : () =>
              awaitReload(store, expected, {
                withinMs,
                now: SYSTEM.monotonic,
                signal,
              }),
      signal,
      onStep: rotation.onStep,
    },
    newKey,
  );
}

/** Returns the newline at the end of the file, or "" if there is none. The new content keeps it, since some programs need it. */
function newlineOf(file: string): string {
  return /\r?\n$/.exec(readFileSync(file, "utf8"))?.[0] ?? "";
}

/** Returns the key to rotate. Only a key in a file can be replaced while the service runs. */
function keyInFile(
  { keys }: HexApiConfig,
  env: Readonly<Record<string, string | undefined>>,
  wanted: HexKeyVariable | undefined,
): KeyInFile {
  const inFiles = keys.flatMap((key): KeyInFile[] => {
    const file = env[`${key.variable}_FILE`];
    return file ? [{ key, file }] : [];
  });
  const found = inFiles.filter(
    ({ key }) => wanted === undefined || key.variable === wanted,
  );
  const [one] = found;
  if (one === undefined) {
    const configured = keys.map(({ variable }) => variable);
    const name = wanted ?? configured[0] ?? "HEX_WRITE_KEY";
    throw new ConfigError([
      configured.includes(name)
        ? `${name}: cannot be replaced while the service runs; put the key into a file and name it in ${name}_FILE`
        : `${name}_FILE: is not set; name the file that contains the key`,
    ]);
  }
  if (found.length > 1) {
    const names = found.map(({ key }) => key.variable).join(", ");
    throw new UsageError(
      `several keys have a file; choose one with --key: ${names}`,
    );
  }
  return one;
}

const STEP_NAMES: Readonly<Record<RotationStep, string>> = {
  prove: "checking the new key",
  write: "writing the key to its file",
  reload: "waiting for the service to reload",
  prove_again: "checking the key in the file",
};

type Say = (facts: object, text: string) => void;

/** Prints facts as JSON, or a text for a person. */
function createReporter({ stdout, env }: Io, json: boolean): Say {
  const { width } = displayOf(stdout, env);
  return (facts, text) => {
    const lines = wrapText(visible(text), width());
    writeLine(stdout, json ? JSON.stringify(facts) : lines.join("\n"));
  };
}

function conclude(
  result: RotationResult,
  { key, newKeyId, say }: { key: HexKey; newKeyId: string; say: Say },
): void {
  const { variable, keyId } = key;
  if (result.ok) {
    say(
      { ok: true, variable, keyId: newKeyId, revoke: keyId },
      `done    ${variable} ${newKeyId} is in use; now revoke ${keyId} in the Hex dashboard`,
    );
    return;
  }
  const { step, why, inForce } = result;
  say(
    { step, ok: false, variable, why, inForce },
    `FAILED  ${STEP_NAMES[step]}: ${why}`,
  );
  if (inForce === "old") {
    say(
      { ok: false, variable, keyId },
      `kept    ${variable} ${keyId} is still in use; do not revoke it`,
    );
  }
}
