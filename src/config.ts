import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { type z } from "zod";
import { readSecretFile } from "./config/secret.ts";
import {
  type ValueOf,
  type VariableName,
  VARIABLES,
} from "./config/variables.ts";
import { keyIdOf } from "./core/key-id.ts";
import { type SigningSecret, type Source } from "./core/model.ts";
import { asError, ConfigError, errorCode } from "./errors.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What `serve` runs with. Frozen. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly adminHost: string;
  /** 0 = no management listener. */
  readonly adminPort: number;
  readonly publicUrl: string | null;
  readonly databaseFile: string;
  readonly sources: readonly Source[];
  readonly replayWindowSeconds: number;
  readonly maxBodyBytes: number;
  readonly forward: {
    readonly url: string;
    readonly secret: string | null;
  } | null;
  /** Path of the handlers module; null = the built-in one. */
  readonly handlersFile: string | null;
  readonly retryScheduleMs: readonly number[];
  readonly attemptTimeoutMs: number;
  readonly trustProxy: ValueOf<"TRUST_PROXY">;
  readonly auditStdout: ValueOf<"AUDIT_STDOUT">;
  readonly logLevel: ValueOf<"LOG_LEVEL">;
  readonly keepAliveSeconds: number;
  readonly drainSeconds: number;
  readonly shutdownSeconds: number;
  /** What is odd without being wrong, one line each. */
  readonly warnings: readonly string[];
}

interface Definition {
  readonly kind: z.ZodType<unknown, string>;
  readonly default?: string;
  readonly secret?: true;
  readonly required?: true;
}

const DEFINITIONS: Readonly<Record<VariableName, Definition>> = VARIABLES;
const ALL = Object.keys(VARIABLES) as VariableName[];

/** The process's environment, with `.env` of the working folder behind it; real variables win. */
export function readEnvironment(): Environment {
  let file: string;
  try {
    file = readFileSync(".env", "utf8");
  } catch (thrown) {
    if (errorCode(thrown) === "ENOENT") {
      return process.env;
    }
    throw new ConfigError([`.env: cannot be read: ${asError(thrown).message}`]);
  }
  return mergeEnvironments(process.env, parseEnv(file));
}

/** `real` over `fallback`. A real NAME also wins over a fallback's NAME_FILE, and the other way round. */
export function mergeEnvironments(
  real: Environment,
  fallback: Environment,
): Environment {
  const merged: Record<string, string | undefined> = { ...real };
  for (const [name, value] of Object.entries(fallback)) {
    const base = name.replace(/_FILE$/, "");
    if (real[base] === undefined && real[`${base}_FILE`] === undefined) {
      merged[name] = value;
    }
  }
  return merged;
}

/**
 * The values of some variables, each checked. An empty variable counts as one that is not set. Throws one ConfigError
 * that lists every fault.
 */
export function readVariables<N extends VariableName>(
  env: Environment,
  names: readonly N[],
): { [K in N]: ValueOf<K> } {
  const faults: string[] = [];
  const values: Partial<Record<VariableName, unknown>> = {};
  for (const name of names) {
    values[name] = readVariable(env, name, faults);
  }
  if (faults.length > 0) {
    throw new ConfigError(faults);
  }
  return values as { [K in N]: ValueOf<K> };
}

function readVariable(
  env: Environment,
  name: VariableName,
  faults: string[],
): unknown {
  const definition = DEFINITIONS[name];
  const given = definition.secret
    ? readSecret(env, name, faults)
    : { name, text: env[name] };
  if (given === null) {
    return null;
  }
  const value = given.text || definition.default;
  if (value === undefined) {
    if (definition.required) {
      faults.push(`${name}: must be set (or ${name}_FILE, the path of a file)`);
    }
    return null;
  }
  const result = definition.kind.safeParse(value);
  if (!result.success) {
    faults.push(
      `${given.name}: ${result.error.issues[0]?.message ?? "is wrong"}`,
    );
    return null;
  }
  return result.data;
}

/** The text of a secret and the variable it came from; null when there is a fault. */
function readSecret(
  env: Environment,
  name: VariableName,
  faults: string[],
): { name: string; text: string | undefined } | null {
  const direct = env[name];
  const fileName = `${name}_FILE`;
  const file = env[fileName];
  if (!file) {
    return { name, text: direct };
  }
  if (direct) {
    faults.push(`${name}: is set, and so is ${fileName}; keep one of them`);
    return null;
  }
  const read = readSecretFile(file);
  if ("fault" in read) {
    faults.push(`${fileName}: ${read.fault}`);
    return null;
  }
  return { name: fileName, text: read.value };
}

/** The whole configuration of `serve`. Throws one ConfigError that lists every fault. */
export function loadConfig(env: Environment): Config {
  const values = readVariables(env, ALL);
  const warnings = unknownNames(env);
  return Object.freeze({
    host: values.HOST,
    port: values.PORT,
    adminHost: values.ADMIN_HOST,
    adminPort: values.ADMIN_PORT,
    publicUrl: values.PUBLIC_URL,
    databaseFile: values.DATABASE_URL,
    sources: Object.freeze([hexSource(values, warnings)]),
    replayWindowSeconds: values.REPLAY_WINDOW_SECONDS,
    maxBodyBytes: values.MAX_BODY_BYTES,
    forward: forwarding(values, warnings),
    handlersFile: values.HANDLERS,
    retryScheduleMs: values.RETRY_SCHEDULE,
    attemptTimeoutMs: values.ATTEMPT_TIMEOUT,
    trustProxy: values.TRUST_PROXY,
    auditStdout: values.AUDIT_STDOUT,
    logLevel: values.LOG_LEVEL,
    keepAliveSeconds: values.KEEP_ALIVE_SECONDS,
    drainSeconds: values.DRAIN_SECONDS,
    shutdownSeconds: values.SHUTDOWN_SECONDS,
    warnings: Object.freeze(warnings),
  });
}

/** What signing and verifying by hand needs: the source alone. */
export function loadHexSource(env: Environment): Source {
  const names = [
    "HEX_SECRET",
    "HEX_SECRET_PREVIOUS",
    "HEX_SECRET_PREVIOUS_EXPIRES_AT",
    "HEX_SIGNATURE_SCHEME",
  ] as const;
  return hexSource(readVariables(env, names), []);
}

function hexSource(
  values: {
    [
      K in
        | "HEX_SECRET"
        | "HEX_SECRET_PREVIOUS"
        | "HEX_SECRET_PREVIOUS_EXPIRES_AT"
        | "HEX_SIGNATURE_SCHEME"
    ]: ValueOf<K>;
  },
  warnings: string[],
): Source {
  const current = values.HEX_SECRET;
  const previous = values.HEX_SECRET_PREVIOUS;
  const expiresAt = values.HEX_SECRET_PREVIOUS_EXPIRES_AT;
  if (previous === current) {
    throw new ConfigError([
      "HEX_SECRET_PREVIOUS: is the same as HEX_SECRET; a rotation needs a new one",
    ]);
  }
  if (previous === null && expiresAt !== null) {
    warnings.push(
      "HEX_SECRET_PREVIOUS_EXPIRES_AT: is set, but HEX_SECRET_PREVIOUS is not; ignored",
    );
  }
  if (previous !== null && expiresAt === null) {
    warnings.push(
      "HEX_SECRET_PREVIOUS: is accepted without end; set HEX_SECRET_PREVIOUS_EXPIRES_AT",
    );
  }
  const secrets = [signingSecret(current, null)];
  if (previous !== null) {
    secrets.push(signingSecret(previous, expiresAt));
  }
  return Object.freeze({
    name: "hex",
    scheme: values.HEX_SIGNATURE_SCHEME,
    secrets: Object.freeze(secrets),
    onReplay: "reject",
  });
}

function signingSecret(
  secret: string,
  expiresAt: number | null,
): SigningSecret {
  return Object.freeze({
    keyId: keyIdOf(secret),
    key: Buffer.from(secret, "utf8"),
    expiresAt,
  });
}

function forwarding(
  values: {
    FORWARD_URL: ValueOf<"FORWARD_URL">;
    FORWARD_SECRET: ValueOf<"FORWARD_SECRET">;
  },
  warnings: string[],
): Config["forward"] {
  const { FORWARD_URL: url, FORWARD_SECRET: secret } = values;
  if (url === null) {
    if (secret !== null) {
      warnings.push("FORWARD_SECRET: is set, but FORWARD_URL is not; ignored");
    }
    return null;
  }
  return Object.freeze({ url, secret });
}

/** A misspelt name would be ignored in silence. */
function unknownNames(env: Environment): string[] {
  return Object.keys(env)
    .filter((name) => /^(?:HEX|HEXHOOK)_/.test(name) && !isKnown(name))
    .sort()
    .map((name) => `${name}: this version knows no such variable; ignored`);
}

function isKnown(name: string): boolean {
  return ALL.some(
    (known) =>
      known === name ||
      (DEFINITIONS[known].secret === true && `${known}_FILE` === name),
  );
}
