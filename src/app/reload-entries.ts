import { isDeepStrictEqual } from "node:util";
import { RELOADED_VARIABLES } from "../config/environment.ts";
import type { DestinationConfig } from "../config/destinations.ts";
import type { Config } from "../config/load-config.ts";
import {
  type AuditAction,
  type AuditDraft,
  type AuditMetadata,
  clipText,
} from "../audit/entry.ts";
import { publicKeyOf } from "../audit/checkpoint.ts";
import { keyIdOf } from "../domain/key-id.ts";
import type { Source } from "../domain/source.ts";

/** The configuration at startup, the one before the reload, and the one after it. */
interface Configs {
  readonly started: Config;
  readonly before: Config;
  readonly after: Config;
}

/** What made the service read its configuration again. */
export type ReloadTrigger = "SIGHUP" | "file";

/** Maximum number of errors or names in an entry. The operational log contains all of them. */
const MAX_LISTED = 20;

/** Minimum length of a secret whose key id is shown. A shorter one could be guessed from its id. */
const MIN_IDENTIFIED_LENGTH = 24;

/** A secret, or all secrets of a source, with the facts that the audit entry contains. */
interface NamedSecret {
  readonly resource: string;
  readonly facts: AuditMetadata;
  /** The facts if it was removed. */
  readonly removed: AuditMetadata;
  /** Only compared, never written. */
  readonly values: unknown;
}

/**
 * Drafts the entries of a successful reload: `secret.reloaded` for each changed secret, and `config.reloaded` if something else
 * has changed. After SIGHUP there are always entries for the signing secrets and for the configuration.
 */
export function reloadedEntries(
  { started, before, after }: Configs,
  facts: {
    at: number;
    trigger: ReloadTrigger;
    /** Names of the changed destinations. */
    destinations: readonly string[];
  },
): AuditDraft[] {
  const { at, trigger } = facts;
  const isRequested = trigger === "SIGHUP";
  const entry = entryMaker(at, "success");
  const previous = secretsOf(before);
  const secrets = secretsOf(after);
  const removed = previous
    .filter(({ resource }) => secrets.every((one) => one.resource !== resource))
    .map((one) => ({
      ...one,
      facts: one.removed,
      changed: true,
    }));
  const reloaded = secrets
    .map((one) => {
      const old = previous.find(({ resource }) => resource === one.resource);
      return { ...one, changed: !isDeepStrictEqual(old?.values, one.values) };
    })
    .filter(
      ({ changed, facts: { source } }) => changed || (isRequested && source),
    );
  const { changed, pending } = settingsChanged({ started, before, after });
  const destinations = facts.destinations.map((name) => `destinations.${name}`);
  const all = [...changed, ...destinations];
  return [
    ...[...reloaded, ...removed].map(
      ({ resource, facts: secretFacts, changed: isChanged }) =>
        entry("secret.reloaded", resource, {
          trigger,
          changed: isChanged,
          ...secretFacts,
        }),
    ),
    ...(isRequested || all.length + pending.length > 0
      ? [
          entry("config.reloaded", "/config", {
            trigger,
            changed: capped(all),
            pending: capped(pending),
          }),
        ]
      : []),
  ];
}

/** Drafts the entries of a rejected reload. The configuration is unchanged. */
export function rejectedEntries(
  errors: readonly string[],
  facts: { at: number; trigger: ReloadTrigger },
): AuditDraft[] {
  const { at, trigger } = facts;
  const entry = entryMaker(at, "failure");
  const ofSecrets = errors.filter(isOfSecret);
  const ofOthers = errors.filter((error) => !isOfSecret(error));
  const metadataOf = (list: readonly string[]): AuditMetadata => ({
    trigger,
    errors: capped(list.map(clipText)),
  });
  return [
    ...(ofSecrets.length > 0
      ? [entry("secret.reloaded", "/secrets", metadataOf(ofSecrets))]
      : []),
    ...(ofOthers.length > 0
      ? [entry("config.reloaded", "/config", metadataOf(ofOthers))]
      : []),
  ];
}

function entryMaker(at: number, result: AuditDraft["result"]) {
  return (
    action: AuditAction,
    resource: string,
    metadata: AuditMetadata,
  ): AuditDraft => ({
    at,
    action,
    userId: "system",
    resource: clipText(resource),
    result,
    metadata,
  });
}

function secretsOf(config: Config): NamedSecret[] {
  const { adminToken, notify } = config;
  return [
    ...config.sources.flatMap(secretsOfSource),
    ...config.hexApi.keys.map(({ variable, keyId, value }) => ({
      resource: variable,
      facts: { variable, keyId },
      removed: { variable, keyId: null },
      values: value,
    })),
    ...(adminToken === null ? [] : [variableSecret("ADMIN_TOKEN", adminToken)]),
    ...(notify === null || notify.secret === null
      ? []
      : [variableSecret("NOTIFY_SECRET", notify.secret)]),
    ...config.destinations.flatMap(secretsOfDestination),
  ];
}

function variableSecret(variable: string, value: string): NamedSecret {
  return {
    resource: variable,
    facts: { variable, keyId: idOf(value) },
    removed: { variable, keyId: null },
    values: value,
  };
}

function secretsOfSource({
  name: source,
  secrets,
  verifyToken,
}: Source): NamedSecret[] {
  const resource = `/webhooks/${source}`;
  return [
    {
      resource,
      facts: {
        source,
        keyIds: secrets.map(({ keyId }) => keyId),
        expiresAt: secrets.map(({ expiresAt }) =>
          expiresAt === null ? null : new Date(expiresAt).toISOString(),
        ),
      },
      removed: { source, keyIds: [], expiresAt: [] },
      values: secrets,
    },
    ...(verifyToken === null
      ? []
      : [
          {
            resource: `${resource}/handshake`,
            facts: { source, keyId: idOf(verifyToken.text) },
            removed: { source, keyId: null },
            values: verifyToken.text,
          },
        ]),
  ];
}

function secretsOfDestination(one: DestinationConfig): NamedSecret[] {
  if (one.kind !== "http") {
    return [];
  }
  const resource = `/destinations/${one.name}`;
  const destination = one.name;
  return [
    ...(one.secret === null
      ? []
      : [
          {
            resource,
            facts: { destination, keyId: idOf(one.secret) },
            removed: { destination, keyId: null },
            values: one.secret,
          },
        ]),
    ...(one.headers ?? [])
      .filter(({ isSecret }) => isSecret)
      .map(({ name: header, value }) => ({
        resource: `${resource}/headers/${header}`,
        facts: { destination, header, keyId: idOf(value) },
        removed: { destination, header, keyId: null },
        values: value,
      })),
  ];
}

function idOf(secret: string): string | undefined {
  return secret.length < MIN_IDENTIFIED_LENGTH ? undefined : keyIdOf(secret);
}

/** Returns the settings that the reload changed, and those that need a restart because they differ from the ones at startup. */
function settingsChanged({ started, before, after }: Configs): {
  changed: string[];
  pending: string[];
} {
  return {
    changed: [
      ...differentSettings(before, after).filter((name) =>
        RELOADED_VARIABLES.has(name),
      ),
      ...changedSources(before.sources, after.sources),
    ],
    pending: [
      ...new Set([
        ...differentSettings(started, after).filter(
          (name) => !RELOADED_VARIABLES.has(name),
        ),
        // Secrets are not among the settings.
        ...(isDeepStrictEqual(started.databaseUrl, after.databaseUrl)
          ? []
          : ["DATABASE_URL"]),
        ...(publicIdOf(started) === publicIdOf(after)
          ? []
          : ["AUDIT_SIGNING_KEY"]),
        // Analytics can change without the variable, because it also depends on the write key.
        ...(started.auditAnalytics === after.auditAnalytics
          ? []
          : ["AUDIT_ANALYTICS"]),
      ]),
    ],
  };
}

/** Returns the sources that were added or removed, or have other settings, apart from their secrets. */
function changedSources(
  before: readonly Source[],
  after: readonly Source[],
): string[] {
  const settingsOf = (sources: readonly Source[], name: string): unknown => {
    const source = sources.find((one) => one.name === name);
    return source && { ...source, secrets: null, verifyToken: null };
  };
  const names = new Set([...before, ...after].map(({ name }) => name));
  return [...names]
    .filter(
      (name) =>
        !isDeepStrictEqual(settingsOf(before, name), settingsOf(after, name)),
    )
    .map((name) => `sources.${name}`);
}

function differentSettings(one: Config, other: Config): string[] {
  const names = new Set([
    ...Object.keys(one.settings),
    ...Object.keys(other.settings),
  ]);
  return [...names].filter(
    (name) => one.settings[name] !== other.settings[name],
  );
}

function publicIdOf({ auditSigningKey: key }: Config): string | null {
  return key === null ? null : publicKeyOf(key);
}

/** Whether an error is about a secret. The error starts with the name of a variable, or with a place in the file. */
function isOfSecret(error: string): boolean {
  return /^(?:HEXHOOK_CONFIG: \S*\.(?:secrets?|headers|verifyToken)\b|[A-Z_]*(?:SECRET|KEY|TOKEN)(?:_\w+)?:)/.test(
    error,
  );
}

function capped(names: readonly string[]): readonly string[] {
  return names.length > MAX_LISTED
    ? [...names.slice(0, MAX_LISTED), `… ${names.length - MAX_LISTED} more`]
    : names;
}
