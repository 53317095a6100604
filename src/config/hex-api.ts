import { keyIdOf } from "../domain/key-id.ts";
import {
  type EnvironmentName,
  ENVIRONMENTS,
  scopeErrors,
  type ScopeRules,
} from "../hex-api/scopes.ts";
import type { Environment } from "./environment.ts";
import type { ValueOf } from "./variables.ts";

/** Of the Hex API and of what may be done there. */
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

/** A key of the Hex API, with the variable that it came from. `keyId` may be shown; `value` never. */
export interface HexKey {
  readonly variable: HexKeyVariable;
  readonly value: string;
  readonly keyId: string;
}

/** The Hex API, the keys for it, and the scopes that calls are held to. */
export interface HexApiConfig extends ScopeRules {
  readonly apiUrl: string;
  /** All that are set. */
  readonly keys: readonly HexKey[];
  /** HEX_READ_KEY, or HEX_API_KEY where that is not set. */
  readonly readKey: HexKey | null;
  /** HEX_WRITE_KEY, or HEX_API_KEY where that is not set. */
  readonly writeKey: HexKey | null;
}

/** A key of this kind opens the real thing. */
const LIVE = /^sk_live_/;

/** What is wrong goes into `errors`, what is odd without being wrong into `warnings`. */
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
  errors.push(...misplaced(keys, environment));
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
    warnings.push(...unsafeUrl(values.HEX_API_URL), ...sharedKeys(keys));
    warnings.push(...(config.granted === null ? [] : scopeErrors(config)));
  }
  return config;
}

/** HEXHOOK_ENV, or what NODE_ENV says where that is one of the three, or development. */
function environmentOf(
  { NODE_ENV }: Environment,
  given: EnvironmentName | null,
): EnvironmentName {
  return given ?? ENVIRONMENTS.find((one) => one === NODE_ENV) ?? "development";
}

function misplaced(
  keys: readonly HexKey[],
  environment: EnvironmentName,
): string[] {
  return keys.flatMap(({ variable, value }) => {
    const error = liveKeyError(value, environment);
    return error === null ? [] : [`${variable}: ${error}`];
  });
}

/** Why a key must not be used in an environment, or null. Never repeats it. */
export function liveKeyError(
  key: string,
  environment: EnvironmentName,
): string | null {
  return environment !== "production" && LIVE.test(key)
    ? `is a live key (sk_live_…) and this is ${environment}; use a key of its own, or set HEXHOOK_ENV=production where it belongs`
    : null;
}

function unsafeUrl(url: string): string[] {
  const { protocol, hostname } = new URL(url);
  return protocol === "http:" && !isLoopback(hostname)
    ? [
        "HEX_API_URL: is not https, so the key goes over the network for everyone to read",
      ]
    : [];
}

function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

function sharedKeys(keys: readonly HexKey[]): string[] {
  return keys.flatMap(({ variable, value }, index) => {
    const other = keys.slice(0, index).find((one) => one.value === value);
    return other === undefined
      ? []
      : [
          `${variable}: is the same key as ${other.variable}; a reader and a writer have a key each`,
        ];
  });
}
