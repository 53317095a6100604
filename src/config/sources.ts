import type { Scheme } from "../domain/scheme.ts";
import type { SigningSecret, Source } from "../domain/source.ts";
import { keyIdOf } from "../domain/key-id.ts";
import { signsUrl } from "../signature/signed-bytes.ts";
import { type ConfiguredSecret, signingSecrets } from "./configured-secret.ts";
import type { Environment } from "./environment.ts";
import { collecting, lineAt } from "./errors.ts";
import {
  HEX_SECRET_VARIABLES,
  HEX_VARIABLES,
  hexSecrets,
  ignoredHexVariables,
} from "./hex-variables.ts";
import type { SecretEntry } from "./secret-entries.ts";
import { isFromVariables, type SourceEntry } from "./source-entry.ts";

/** What the environment sets for all sources. */
export interface SourceDefaults {
  /** The scheme of source `hex`. */
  readonly hexScheme: Scheme;
  /** The window of scheme `hex`. */
  readonly replayWindowSeconds: number;
  readonly maxBodyBytes: number;
  /** The base of the public address; null = not set. */
  readonly publicBase: string | null;
}

interface Reports {
  readonly errors: string[];
  readonly warnings: string[];
}

/** Builds the sources. Leaves out those with wrong secrets. Adds errors, and warnings about valid but suspicious settings. */
export function buildSources(
  env: Environment,
  entries: readonly SourceEntry[],
  defaults: SourceDefaults,
  reports: Reports,
): readonly Source[] {
  reports.warnings.push(...ignoredVariables(env, entries, defaults.hexScheme));
  return entries.flatMap((entry) => {
    const source = buildSource(env, entry, defaults, reports);
    return source === null ? [] : [source];
  });
}

function buildSource(
  env: Environment,
  { name, scheme: ownScheme, settings }: SourceEntry,
  defaults: SourceDefaults,
  { errors, warnings }: Reports,
): Source | null {
  const scheme = ownScheme ?? defaults.hexScheme;
  const place = (text: string, ...path: PropertyKey[]): string =>
    lineAt(["sources", name, ...path], text);
  const secrets = collecting(errors, () =>
    signingSecrets(
      scheme,
      settings.secrets === undefined
        ? hexSecrets(env, warnings)
        : secretsOfFile(name, settings.secrets),
      errors,
      warnings,
    ),
  );
  const publicUrl =
    settings.publicUrl ??
    (defaults.publicBase === null
      ? null
      : `${defaults.publicBase}/webhooks/${name}`);
  if (publicUrl === null && signsUrl(scheme)) {
    errors.push(
      place(
        `is missing; set it to the URL that the sender calls, because scheme ${scheme.name} signs it, or set PUBLIC_URL`,
        "publicUrl",
      ),
    );
  }
  const verifyToken = settings.handshake?.verifyToken ?? null;
  if (scheme.handshake === "meta" && verifyToken === null) {
    warnings.push(
      place(
        "is not set, so the request with which the sender checks the endpoint is rejected",
        "handshake",
        "verifyToken",
      ),
    );
  }
  if (secrets === null) {
    return null;
  }
  return Object.freeze({
    name,
    scheme,
    secrets,
    onReplay: settings.onReplay ?? scheme.onReplay,
    replayWindowSeconds: windowOf(scheme, settings.replayWindow, defaults),
    publicUrl,
    allowFrom: settings.allowFrom ?? null,
    maxBodyBytes:
      settings.maxBodyBytes ??
      Math.min(defaults.maxBodyBytes, scheme.maxBodyBytes ?? Infinity),
    mediaTypes: settings.mediaTypes ?? null,
    isDisabled: settings.disabled ?? false,
    verifyToken: verifyToken === null ? null : tokenOf(verifyToken.value),
    sharesSecretWith: Object.freeze([]),
  });
}

function secretsOfFile(
  source: string,
  entries: readonly SecretEntry[],
): ConfiguredSecret[] {
  return entries.map(({ value, createdAt, expiresAt }, index) => ({
    text: value,
    createdAt: createdAt ?? null,
    expiresAt: expiresAt ?? null,
    at: (text) => lineAt(["sources", source, "secrets", index], text),
    name: `secrets[${index}]`,
    howToExpire: "set expiresAt",
  }));
}

function tokenOf(text: string): SigningSecret {
  return Object.freeze({
    name: "handshake.verifyToken",
    keyId: keyIdOf(text),
    text,
    algorithm: "token",
    key: Buffer.from(text, "utf8"),
    publicKey: null,
    createdAt: null,
    expiresAt: null,
  });
}

function windowOf(
  { name, timestamp }: Scheme,
  ownMs: number | undefined,
  { replayWindowSeconds }: SourceDefaults,
): number {
  if (ownMs !== undefined) {
    return ownMs / 1000;
  }
  return name === "hex" || timestamp === null
    ? replayWindowSeconds
    : timestamp.windowSeconds;
}

/** Returns a warning for each variable of source `hex` that is set but not used. */
function ignoredVariables(
  env: Environment,
  entries: readonly SourceEntry[],
  hexScheme: Scheme,
): string[] {
  const hex = entries.find(({ name }) => name === "hex");
  const referred = new Set(
    entries.flatMap(({ settings }) =>
      (settings.secrets ?? []).flatMap(({ variable }) => variable ?? []),
    ),
  );
  if (hex === undefined) {
    const reason = "does not list source hex";
    return ignoredHexVariables(env, HEX_VARIABLES, referred, reason);
  }
  const { scheme, settings } = hex;
  const isOther = scheme !== null && scheme !== hexScheme;
  return [
    ...(settings.secrets === undefined && isFromVariables("hex", scheme)
      ? []
      : ignoredHexVariables(
          env,
          HEX_SECRET_VARIABLES,
          referred,
          "lists the secrets of hex and their dates",
        )),
    ...(isOther
      ? ignoredHexVariables(
          env,
          ["HEX_SIGNATURE_SCHEME"],
          referred,
          "sets another scheme",
        )
      : []),
  ];
}
