import type { Source } from "../domain/source.ts";
import { asciiJson } from "../json/ascii.ts";
import {
  type AuditDraft,
  type AuditMetadata,
  clipText,
  MAX_LINE_BYTES,
} from "./entry.ts";
import type { ChainHead, EntryPlace } from "./chain.ts";

/** The maximum size of an entry's metadata in bytes. */
const MAX_METADATA = MAX_LINE_BYTES - 600;

/** The maximum size of the list of sources in a `server.started` entry, in bytes. */
const MAX_SOURCES_BYTES = 3000;

/** The maximum number of destinations that a `server.started` entry lists. */
const MAX_DESTINATIONS = 30;

/** Returns the first entry of a service: its configuration, and the last entries of the other writers. */
export function serverStarted(facts: {
  at: number;
  version: string;
  nodeVersion: string;
  /** `development`, `staging` or `production`. */
  environment: string;
  sources: readonly Source[];
  /** The keys of the Hex API. */
  hexKeys: readonly { readonly variable: string; readonly keyId: string }[];
  destinations: readonly string[];
  /** The public key of this writer's checkpoints. */
  publicKey: string;
  /** The last entry of AUDIT_FILE, if the store lacks it. */
  auditFileAhead?: EntryPlace | null;
  /** Newest first. */
  heads: readonly ChainHead[];
}): AuditDraft {
  const { at, version, nodeVersion, destinations } = facts;
  const sources = withinBytes(
    facts.sources.map(({ name, scheme, secrets }) => ({
      name,
      scheme: scheme.name,
      keyIds: secrets.map(({ keyId }) => keyId),
    })),
    MAX_SOURCES_BYTES,
  );
  return {
    at,
    action: "server.started",
    userId: "system",
    resource: "server",
    result: "success",
    metadata: withHeads(facts.heads, {
      version,
      node: nodeVersion,
      environment: facts.environment,
      sources,
      sourcesOmitted: omitted(facts.sources.length - sources.length),
      hexKeys: facts.hexKeys.map(({ variable, keyId }) => ({
        variable,
        keyId,
      })),
      destinations: destinations.slice(0, MAX_DESTINATIONS).map(clipText),
      destinationsOmitted: omitted(destinations.length - MAX_DESTINATIONS),
      publicKey: facts.publicKey,
      auditFileAhead: facts.auditFileAhead ?? undefined,
    }),
  };
}

/** Returns the first entry of a command that writes, such as `events redeliver`. Like a service, each run is a writer. */
export function commandStarted(facts: {
  at: number;
  version: string;
  command: string;
  operator: string;
  /** The public key of this writer's checkpoints. */
  publicKey: string;
  /** Newest first. */
  heads: readonly ChainHead[];
}): AuditDraft {
  const { at, version, command, operator, publicKey, heads } = facts;
  return {
    at,
    action: "server.started",
    userId: `operator:${operator}`,
    resource: `hexhook ${command}`,
    result: "success",
    metadata: withHeads(heads, { version, publicKey }),
  };
}

/** Returns the last entry of a command. */
export function commandStopped(
  at: number,
  facts: { command: string; operator: string },
): AuditDraft {
  return {
    at,
    action: "server.stopped",
    userId: `operator:${facts.operator}`,
    resource: `hexhook ${facts.command}`,
    result: "success",
    metadata: {},
  };
}

/**
 * Adds the newest heads, as many as fit. A head that does not fit was named by an earlier start. The head of that start's
 * writer is named here or in another start, so every head is still covered.
 */
function withHeads(
  heads: readonly ChainHead[],
  facts: AuditMetadata,
): AuditMetadata {
  const named = withinBytes(heads, MAX_METADATA - asciiJson(facts).length);
  return {
    ...facts,
    heads: named,
    headsOmitted: omitted(heads.length - named.length),
  };
}

/** Returns the first items, as many as fit into `bytes` as JSON. */
function withinBytes<T extends object>(
  items: readonly T[],
  bytes: number,
): readonly T[] {
  let room = bytes;
  const first = items.findIndex((item) => {
    room -= asciiJson(item).length + 1;
    return room < 0;
  });
  return first === -1 ? items : items.slice(0, first);
}

function omitted(count: number): number | undefined {
  return count > 0 ? count : undefined;
}

/** Returns the last entry of a service that was asked to stop, or whose startup failed. */
export function serverStopped(
  at: number,
  stop: { reason: string; good: boolean },
): AuditDraft {
  return {
    at,
    action: "server.stopped",
    userId: "system",
    resource: "server",
    result: stop.good ? "success" : "failure",
    metadata: { reason: stop.reason },
  };
}
