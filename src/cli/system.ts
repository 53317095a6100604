import { randomBytes } from "node:crypto";
import { lookup } from "node:dns";
import { descriptorLimit } from "../http/connection/connection-limits.ts";
import type { ServiceDeps } from "../app/service.ts";
import { VERSION } from "../version.ts";

/** The clock, the randomness, the network and the limits of this machine, for the service. */
export const SYSTEM = {
  now: Date.now,
  random: Math.random,
  randomHex: (bytes) => randomBytes(bytes).toString("hex"),
  lookup,
  fetch,
  descriptorLimit,
  version: VERSION,
} as const satisfies Partial<ServiceDeps>;
