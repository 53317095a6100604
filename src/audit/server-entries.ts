import type { Source } from "../domain/source.ts";
import { asciiJson } from "../json/ascii.ts";
import {
  type AuditDraft,
  type AuditMetadata,
  clipText,
  MAX_LINE_BYTES,
} from "./entry.ts";
import type { ChainHead } from "./chain.ts";

/** So much of an entry is left to its metadata, in bytes. */
const MAX_METADATA = MAX_LINE_BYTES - 600;

/** So many destinations are named. */
const MAX_DESTINATIONS = 30;

/** The first entry of a writer: what it runs with, and where every other writer's chain ends. */
export function serverStarted(facts: {
  at: number;
  version: string;
  nodeVersion: string;
  /** `development`, `staging` or `production`. */
  environment: string;
  sources: readonly Source[];
  /** Keys of the Hex API, by their ids. */
  hexKeys: readonly { readonly variable: string; readonly keyId: string }[];
  destinations: readonly string[];
  /** What this writer's checkpoints are verified with. */
  publicKey: string;
  /** Newest first. */
  heads: readonly ChainHead[];
}): AuditDraft {
  const { at, version, nodeVersion, sources, destinations } = facts;
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
      sources: sources.map(({ name, scheme, secrets }) => ({
        name,
        scheme,
        keyIds: secrets.map(({ keyId }) => keyId),
      })),
      hexKeys: facts.hexKeys.map(({ variable, keyId }) => ({
        variable,
        keyId,
      })),
      destinations: destinations.slice(0, MAX_DESTINATIONS).map(clipText),
      destinationsOmitted: omitted(destinations.length - MAX_DESTINATIONS),
      publicKey: facts.publicKey,
    }),
  };
}

/** The first entry of a command that writes, such as `events redeliver`: a process run is a writer like a service. */
export function commandStarted(facts: {
  at: number;
  version: string;
  command: string;
  operator: string;
  /** What this writer's checkpoints are verified with. */
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

/** The last entry of a command. */
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
 * As many heads as fit, the newest. An older one was named by the writer that came after it, whose own head is named here
 * or further on: none is out of the chain.
 */
function withHeads(
  heads: readonly ChainHead[],
  facts: AuditMetadata,
): AuditMetadata {
  let room = MAX_METADATA - asciiJson(facts).length;
  const first = heads.findIndex((head) => {
    room -= asciiJson(head).length + 1;
    return room < 0;
  });
  const named = first === -1 ? heads : heads.slice(0, first);
  return {
    ...facts,
    heads: named,
    headsOmitted: omitted(heads.length - named.length),
  };
}

function omitted(count: number): number | undefined {
  return count > 0 ? count : undefined;
}

/** The last entry of a writer that got to write one: it was told to stop, or its start failed half way. */
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
