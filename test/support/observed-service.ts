import { expect } from "@jest/globals";
import { randomInt } from "node:crypto";
import {
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import type { Environment } from "../../src/config/load-config.ts";
import { eventBody, SECRET, signed } from "./fixtures.ts";
import { hexhook } from "./hexhook.ts";
import { freePort, serve } from "./processes.ts";

/** A real service in a separate process with both listeners, and its use of resources. */
export interface ObservedService extends Awaited<ReturnType<typeof serve>> {
  readonly adminPort: number;
  /** The maximum memory that it has used so far, in megabytes. */
  readonly peakMb: () => number;
  readonly openSockets: () => number;
}

export async function startObserved(
  folder: string,
  env: Environment = {},
  via: readonly string[] = [],
): Promise<ObservedService> {
  writeFileSync(path.join(folder, "none.mjs"), "export default {};\n");
  const adminPort = await freePort();
  const serving = await serve(
    folder,
    {
      HANDLERS: "none.mjs",
      ADMIN_PORT: String(adminPort),
      ADMIN_TOKEN: "an-admin-token-for-tests-0123456789",
      AUDIT_STDOUT: "off",
      ...env,
    },
    via,
  );
  const process = `/proc/${String(serving.child.pid)}`;
  return {
    ...serving,
    adminPort,
    peakMb: () => {
      const status = readFileSync(`${process}/status`, "utf8");
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
    },
    openSockets: () =>
      readdirSync(`${process}/fd`).filter((fd) => {
        try {
          return readlinkSync(`${process}/fd/${fd}`).startsWith("socket:");
        } catch {
          return false; // closed meanwhile
        }
      }).length,
  };
}

/**
 * Expects that nothing was thrown and that a genuine delivery is accepted. Then stops the service and expects an intact trail.
 */
export async function expectHealthy(
  folder: string,
  serving: ObservedService,
  verifyOptions: readonly string[] = [],
): Promise<void> {
  const body = eventBody(`evt_healthy_${randomInt(2 ** 32)}`);
  expect((await serving.post(body, signed(body))).status).toBe(200);
  expect(serving.child.exitCode).toBeNull();
  expect(serving.stderr()).not.toMatch(/"level":"(?:error|fatal)"/);
  expect(serving.stderr()).not.toMatch(/assert/i);
  expect(await serving.stop()).toEqual({ code: 0, signal: null });
  const verified = await hexhook(["audit", "verify", ...verifyOptions], {
    cwd: folder,
    env: { HEX_SECRET: SECRET, DATABASE_URL: "sqlite:hexhook.db" },
  });
  expect(verified).toMatchObject({ code: 0 });
}
