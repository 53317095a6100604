import { generateKeyPairSync } from "node:crypto";
import { serverStarted } from "../../src/audit/server-entries.ts";
import type { TrailReport } from "../../src/audit/verify/trail-report.ts";
import {
  createTrailVerifier,
  type VerifyOptions,
} from "../../src/audit/verify/verify-trail.ts";
import {
  AuditChain,
  type ChainHead,
  type Checkpoints,
  hashLine,
  splitHash,
} from "../../src/audit/chain.ts";
import type { AuditDraft } from "../../src/audit/entry.ts";
import { createCheckpoints } from "../../src/audit/checkpoint.ts";
import { parseEntry } from "../../src/audit/parsed-entry.ts";
import { CHECKPOINTS } from "./fixtures.ts";

export const AT = 1_800_000_000_000;
export const OTHER_KEY = createCheckpoints(
  generateKeyPairSync("ed25519").privateKey,
);

export function draft(n: number, metadata: object = {}): AuditDraft {
  return {
    at: AT + n,
    action: "webhook.accepted",
    userId: "source:hex",
    resource: "/webhooks/hex",
    result: "success",
    metadata: { eventId: `evt_${n}`, ip: "127.0.0.1", ...metadata },
  };
}

export function started(
  heads: readonly ChainHead[],
  options: { checkpoints?: Checkpoints } = {},
): AuditDraft {
  return serverStarted({
    environment: "development",
    hexKeys: [],
    at: AT,
    version: "1.0.0",
    nodeVersion: "v24.0.0",
    sources: [],
    destinations: [],
    publicKey: (options.checkpoints ?? CHECKPOINTS).publicKey,
    heads,
  });
}

export const STOPPED: AuditDraft = {
  ...draft(0),
  action: "server.stopped",
  metadata: {},
};

/** Creates the run of one writer: a start, entries, and checkpoints after the start, at intervals and at the end. */
export function run(
  writer: string,
  length: number,
  options: {
    heads?: readonly ChainHead[];
    every?: number;
    checkpoints?: Checkpoints;
    /** Whether the run ends normally. */
    stops?: boolean;
  } = {},
): string[] {
  const { heads = [], every = 40, checkpoints = CHECKPOINTS } = options;
  const chain = new AuditChain(writer, checkpoints);
  const lines = [chain.append(started(heads, options)).line];
  while (lines.length < length) {
    const due =
      lines.length === 1 ||
      lines.length % every === 0 ||
      lines.length === length - 1;
    const checkpoint = due ? chain.checkpoint(AT + lines.length) : null;
    const stops = options.stops === true && lines.length === length - 2;
    const next = stops ? STOPPED : draft(lines.length);
    lines.push((checkpoint ?? chain.append(next)).line);
  }
  return lines;
}

export function headOf(lines: readonly string[]): ChainHead {
  const { chain, hash } = parseEntry(lines.at(-1)!)!;
  return { writer: chain.writer, seq: chain.seq, hash };
}

export function verify(
  lines: readonly string[],
  options: VerifyOptions = {},
): TrailReport {
  const verifier = createTrailVerifier(options);
  for (const line of lines) {
    verifier.line(line);
  }
  return verifier.finish();
}

/** Returns the lines as a store has them, with its table of heads. */
export function verifyAsStore(
  lines: readonly string[],
  heads: readonly ChainHead[],
  options: VerifyOptions = {},
): TrailReport {
  const verifier = createTrailVerifier(options);
  for (const line of lines) {
    verifier.entry(line);
  }
  return verifier.finish(heads);
}

export const faultsOf = ({ writers }: TrailReport) =>
  writers.flatMap(({ fault }) => fault ?? []);

/** Returns the line with some text replaced and its hash corrected. */
export function rehashed(
  line: string,
  change: (covered: string) => string,
): string {
  const covered = change(splitHash(line)!.covered);
  return `${covered.slice(0, -1)},"hash":"${hashLine(covered)}"}`;
}
