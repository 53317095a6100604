import { type AuditDraft, type AuditMetadata } from "../core/audit-entry.ts";
import { type ChainHead } from "../core/audit-chain.ts";
import { type Source } from "../core/model.ts";

/**
 * An entry holds 8 KiB, and a head takes 120 bytes of it. The newest heads are named; an older one was named by the
 * writer that came after it, whose own head is named here or further on: none is out of the chain.
 */
const MAX_HEADS = 60;

/**
 * Entries of a writer that sinks may be given a second time, from this one on: the process before had no time to note how far
 * they had come.
 */
export type Resumed = Pick<ChainHead, "writer" | "seq">;

/** The first entry of a writer: what it runs with, and where every other writer's chain ends. */
export function serverStarted(facts: {
  at: number;
  version: string;
  nodeVersion: string;
  sources: readonly Source[];
  destinations: readonly string[];
  /** What this writer's checkpoints are verified with. */
  publicKey: string;
  /** Newest first. */
  heads: readonly ChainHead[];
  resumed: readonly Resumed[];
}): AuditDraft {
  const { at, version, nodeVersion, sources, destinations } = facts;
  return {
    at,
    action: "server.started",
    userId: "system",
    resource: "server",
    result: "success",
    metadata: {
      version,
      node: nodeVersion,
      sources: sources.map(({ name, scheme, secrets }) => ({
        name,
        scheme,
        keyIds: secrets.map(({ keyId }) => keyId),
      })),
      destinations,
      publicKey: facts.publicKey,
      resumed: facts.resumed.length > 0 ? facts.resumed : undefined,
      ...namedHeads(facts.heads),
    },
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
    metadata: { version, publicKey, ...namedHeads(heads) },
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

function namedHeads(heads: readonly ChainHead[]): AuditMetadata {
  const omitted = heads.length - MAX_HEADS;
  return {
    heads: heads.slice(0, MAX_HEADS),
    headsOmitted: omitted > 0 ? omitted : undefined,
  };
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
