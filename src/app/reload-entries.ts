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

/** The configuration of the start, the one in force, and the one that was read now. */
interface Configs {
  readonly started: Config;
  readonly before: Config;
  readonly after: Config;
}

/** What made the service read its configuration again. */
export type ReloadTrigger = "SIGHUP" | "file";

/** So many errors and names are told; the operational log has all of them. */
const MAX_TOLD = 20;

/** Shorter ones could be guessed from their id. */
const MIN_NAMED_LENGTH = 24;

/** A secret, or some that belong together, with what may be told of them. */
interface NamedSecret {
  readonly resource: string;
  readonly facts: AuditMetadata;
  /** Compared, never told. */
  readonly values: unknown;
}

/**
 * The entries of a reload that went well: `secret.reloaded` for each secret that is another one now, `config.reloaded` when
 * something else is. Whoever asked for it by SIGHUP is told of the signing secrets and the configuration in any case.
 */
export function reloadedEntries(
  { started, before, after }: Configs,
  facts: {
    at: number;
    trigger: ReloadTrigger;
    /** Names of destinations that are not what they were. */
    destinations: readonly string[];
  },
): AuditDraft[] {
  const { at, trigger } = facts;
  const asked = trigger === "SIGHUP";
  const entry = entryMaker(at, "success");
  const known = secretsOf(before);
  const secrets = secretsOf(after);
  const gone = known
    .filter(({ resource }) => secrets.every((one) => one.resource !== resource))
    .map((one) => ({
      ...one,
      facts: { ...one.facts, keyId: null },
      changed: true,
    }));
  const reloaded = secrets
    .map((one) => {
      const old = known.find(({ resource }) => resource === one.resource);
      return { ...one, changed: !isDeepStrictEqual(old?.values, one.values) };
    })
    .filter(({ changed, facts: { source } }) => changed || (asked && source));
  const { changed, pending } = settingsChanged({ started, before, after });
  const destinations = facts.destinations.map((name) => `destinations.${name}`);
  const all = [...changed, ...destinations];
  return [
    ...[...reloaded, ...gone].map(({ resource, facts: told, changed: isNew }) =>
      entry("secret.reloaded", resource, { trigger, changed: isNew, ...told }),
    ),
    ...(asked || all.length + pending.length > 0
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

/** The entries of a reload that found errors: what was in force stays so. */
export function rejectedEntries(
  errors: readonly string[],
  facts: { at: number; trigger: ReloadTrigger },
): AuditDraft[] {
  const { at, trigger } = facts;
  const entry = entryMaker(at, "failure");
  const ofSecrets = errors.filter(isOfSecret);
  const ofOthers = errors.filter((error) => !isOfSecret(error));
  const list = (some: readonly string[]): AuditMetadata => ({
    trigger,
    errors: capped(some.map(clipText)),
  });
  return [
    ...(ofSecrets.length > 0
      ? [entry("secret.reloaded", "/secrets", list(ofSecrets))]
      : []),
    ...(ofOthers.length > 0
      ? [entry("config.reloaded", "/config", list(ofOthers))]
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
  const { adminToken } = config;
  return [
    ...config.sources.map(({ name, secrets }) => ({
      resource: `/webhooks/${name}`,
      facts: {
        source: name,
        keyIds: secrets.map(({ keyId }) => keyId),
        expiresAt: secrets.map(({ expiresAt }) =>
          expiresAt === null ? null : new Date(expiresAt).toISOString(),
        ),
      },
      values: secrets,
    })),
    ...config.hexApi.keys.map(({ variable, keyId, value }) => ({
      resource: variable,
      facts: { variable, keyId },
      values: value,
    })),
    ...(adminToken === null
      ? []
      : [
          {
            resource: "ADMIN_TOKEN",
            facts: { variable: "ADMIN_TOKEN", keyId: idOf(adminToken) },
            values: adminToken,
          },
        ]),
    ...config.destinations.flatMap(secretsOfDestination),
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
            values: one.secret,
          },
        ]),
    ...(one.headers ?? [])
      .filter(({ isSecret }) => isSecret)
      .map(({ name: header, value }) => ({
        resource: `${resource}/headers/${header}`,
        facts: { destination, header, keyId: idOf(value) },
        values: value,
      })),
  ];
}

function idOf(secret: string): string | undefined {
  return secret.length < MIN_NAMED_LENGTH ? undefined : keyIdOf(secret);
}

/** What a reload changed, and what waits for a start: that is compared with what runs, not with the reload before. */
function settingsChanged({ started, before, after }: Configs): {
  changed: string[];
  pending: string[];
} {
  const sources = after.sources.filter(({ name, scheme, onReplay }) =>
    before.sources.some(
      (old) =>
        old.name === name &&
        (old.scheme !== scheme || old.onReplay !== onReplay),
    ),
  );
  return {
    changed: [
      ...settingsApart(before, after).filter((name) =>
        RELOADED_VARIABLES.has(name),
      ),
      ...sources.map(({ name }) => `sources.${name}`),
    ],
    pending: [
      ...new Set([
        ...settingsApart(started, after).filter(
          (name) => !RELOADED_VARIABLES.has(name),
        ),
        ...(publicIdOf(started) === publicIdOf(after)
          ? []
          : ["AUDIT_SIGNING_KEY"]),
        // It follows the write key too.
        ...(started.auditAnalytics === after.auditAnalytics
          ? []
          : ["AUDIT_ANALYTICS"]),
      ]),
    ],
  };
}

function settingsApart(one: Config, other: Config): string[] {
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

/** An error names the variable or the place in the file; secrets have names like these. */
function isOfSecret(error: string): boolean {
  return /^(?:HEXHOOK_CONFIG: \S*\.(?:secrets?|headers)\b|[A-Z_]*(?:SECRET|KEY|TOKEN)(?:_\w+)?:)/.test(
    error,
  );
}

function capped(names: readonly string[]): readonly string[] {
  return names.length > MAX_TOLD
    ? [...names.slice(0, MAX_TOLD), `… ${names.length - MAX_TOLD} more`]
    : names;
}
