import { randomBytes } from "node:crypto";
import { lookup } from "node:dns";
import type { ServiceDeps } from "../app/service.ts";
import { VERSION } from "../version.ts";

/** The clock, the randomness, the network and the limits of this machine, for the service. */
export const SYSTEM = {
  now: Date.now,
  monotonic: () => performance.now(),
  random: Math.random,
  randomHex: (bytes) => randomBytes(bytes).toString("hex"),
  lookup,
  fetch,
  descriptorLimit,
  version: VERSION,
} as const satisfies Partial<ServiceDeps>;

/** Returns the maximum number of open descriptors (files and sockets) of this process; Infinity without a limit. */
export function descriptorLimit(): number {
  const { userLimits } = process.report.getReport() as unknown as {
    userLimits?: { open_files?: { soft?: number | string } };
  };
  const soft = userLimits?.open_files?.soft;
  return typeof soft === "number" ? soft : Number.POSITIVE_INFINITY;
}
