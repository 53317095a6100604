import { keyIdOf } from "../domain/key-id.ts";
import {
  type EnvironmentName,
  ENVIRONMENTS,
  scopeErrors,
  type ScopeRules,
} from "../hex-api/scopes.ts";
import type { Environment } from "./environment.ts";
import type { ValueOf } from "./variables.ts";

/** The variables of the Hex API and its scopes. */
export const HEX_API_VARIABLES = [
  "HEX_API_URL",
  "HEX_API_KEY",
  "HEX_READ_KEY",
  "HEX_WRITE_KEY",
  "HEXHOOK_ENV",
  "HEX_SCOPES",
  "HEX_REQUIRED_SCOPES",
] as const;

export const HEX_KEY_VARIABLES = [
  "HEX_API_KEY",
  "HEX_READ_KEY",
  "HEX_WRITE_KEY",
] as const;

export type HexKeyVariable = (typeof HEX_KEY_VARIABLES)[number];

type HexApiValues = {
  readonly [N in (typeof HEX_API_VARIABLES)[number]]: ValueOf<N>;
};

/** A key of the Hex API, with the variable that it was read from. `keyId` may be shown, `value` never. */
export interface HexKey {
  readonly variable: HexKeyVariable;
  readonly value: string;
  readonly keyId: string;
}

/** The Hex API, its keys, and the scopes that calls are checked against. */
export interface HexApiConfig extends ScopeRules {
  readonly apiUrl: string;
  /** All keys that are set. */
  readonly keys: readonly HexKey[];
  /** HEX_READ_KEY, or HEX_API_KEY if that is not set. */
  readonly readKey: HexKey | null;
  /** HEX_WRITE_KEY, or HEX_API_KEY if that is not set. */
  readonly writeKey: HexKey | null;
}

/** The prefix of keys for the production API. */
const LIVE = /^sk_live_/;

/** Returns the configuration of the Hex API. Adds errors to `errors`, and valid but suspicious settings to `warnings`. */
export function hexApiOf(
  env: Environment,
  values: HexApiValues,
  errors: string[],
  warnings: string[],
): HexApiConfig {
  const environment = environmentOf(env, values.HEXHOOK_ENV);
  const keys = HEX_KEY_VARIABLES.flatMap((variable): HexKey[] => {
    const value = values[variable];
    return value === null
      ? []
      : [Object.freeze({ variable, value, keyId: keyIdOf(value) })];
  });
  const keyOf = (variable: HexKeyVariable): HexKey | null =>
    keys.find((key) => key.variable === variable) ??
    keys.find((key) => key.variable === "HEX_API_KEY") ??
    null;
  errors.push(...liveKeyErrors(keys, environment));
  const config = Object.freeze({
    apiUrl: values.HEX_API_URL,
    environment,
    granted: values.HEX_SCOPES,
    required: values.HEX_REQUIRED_SCOPES,
    keys: Object.freeze(keys),
    readKey: keyOf("HEX_READ_KEY"),
    writeKey: keyOf("HEX_WRITE_KEY"),
  });
  if (keys.length > 0) {
    warnings.push(
      ...urlWarnings(values.HEX_API_URL),
      ...sharedKeyWarnings(keys),
    );
    warnings.push(...(config.granted === null ? [] : scopeErrors(config)));
  }
  return config;
}

/** HEXHOOK_ENV, or NODE_ENV if it is one of the three environments, or development. */
function environmentOf(
  { NODE_ENV }: Environment,
  configured: EnvironmentName | null,
): EnvironmentName {
  return (
    configured ?? ENVIRONMENTS.find((one) => one === NODE_ENV) ?? "development"
  );
}

function liveKeyErrors(
  keys: readonly HexKey[],
  environment: EnvironmentName,
): string[] {
  return keys.flatMap(({ variable, value }) => {
    const error = liveKeyError(value, environment);
    return error === null ? [] : [`${variable}: ${error}`];
  });
}

/** Returns the error of a live key outside production, or null. Never repeats the key. */
export function liveKeyError(
  key: string,
  environment: EnvironmentName,
): string | null {
  return environment !== "production" && LIVE.test(key)
    ? `is a live key (sk_live_…), but the environment is ${environment}; use a key for ${environment}, or set HEXHOOK_ENV=production`
    : null;
}

function urlWarnings(url: string): string[] {
  const { protocol, hostname } = new URL(url);
  return protocol === "http:" && !isLoopback(hostname)
    ? [
        "HEX_API_URL: is not https, so the key is sent unencrypted; use an https URL",
      ]
    : [];
}

function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

function sharedKeyWarnings(keys: readonly HexKey[]): string[] {
  return keys.flatMap(({ variable, value }, index) => {
    const other = keys.slice(0, index).find((one) => one.value === value);
    return other === undefined
      ? []
      : [
          `${variable}: is the same key as ${other.variable}; use separate keys for reading and writing`,
        ];
  });
}
