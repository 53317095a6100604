import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Environment } from "../../src/config/load-config.ts";
import { ADMIN_TOKEN } from "./admin-client.ts";
import { freePort, serve } from "./processes.ts";

export type Replica = Awaited<ReturnType<typeof startReplica>>;

/** Writes the key that all replicas sign checkpoints with. Returns its path, which is the value of AUDIT_SIGNING_KEY_FILE. */
export function sharedSigningKey(folder: string): string {
  const file = path.join(folder, "audit-key.pem");
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  writeFileSync(file, pem, { mode: 0o600 });
  return file;
}

/**
 * Starts service processes that share one database. Each has its own working directory. All are killed when the test ends.
 * `env` has at least DATABASE_URL.
 */
export async function startReplicas(
  folder: string,
  count: number,
  env: Environment | ((n: number) => Environment),
): Promise<Replica[]> {
  const key = sharedSigningKey(folder);
  return Promise.all(
    Array.from({ length: count }, (_, n) => {
      const own = path.join(folder, `replica-${n}`);
      mkdirSync(own, { recursive: true });
      return startReplica(own, {
        AUDIT_SIGNING_KEY_FILE: key,
        ...(typeof env === "function" ? env(n) : env),
      });
    }),
  );
}

/**
 * Starts one service process that can be started again. It has another port after each start. `cli` is the program file, for
 * example that of another version.
 */
export async function startReplica(
  folder: string,
  env: Environment,
  cli?: string,
) {
  const outputs: (() => string)[] = [];
  async function start() {
    const adminPort = await freePort();
    const given = { ADMIN_PORT: String(adminPort), ADMIN_TOKEN, ...env };
    const serving = await serve(folder, given, [], cli);
    outputs.push(serving.stderr);
    /** The id of the process in the audit trail. Its stdout has only its own entries. */
    const writer = (): string | undefined =>
      /"chain":\{"writer":"([^"]+)"/.exec(serving.stdout())?.[1];
    return { ...serving, adminPort, writer };
  }
  let current = await start();
  return {
    folder,
    /** The process that was started last. */
    now: () => current,
    /** Starts the process again, after it has ended. */
    start: async (): Promise<void> => {
      current = await start();
    },
    /** The operational log of all its processes. */
    log: () => outputs.map((text) => text()).join(""),
  };
}

/** Returns the bytes of a POST to the endpoint of source `hex`. */
export function postBytes(
  body: Buffer,
  headers: Record<string, string>,
  connection: "close" | "keep-alive" = "keep-alive",
): Buffer {
  const lines = Object.entries({
    host: "127.0.0.1",
    connection,
    "content-length": String(body.length),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `POST /webhooks/hex HTTP/1.1\r\n${lines.join("")}\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}
