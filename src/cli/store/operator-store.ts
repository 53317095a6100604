import type { KeyObject } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { commandStarted, commandStopped } from "../../audit/server-entries.ts";
import { readEnvironment, readVariables } from "../../config/load-config.ts";
import { publicKeyOf } from "../../audit/checkpoint.ts";
import type { Store } from "../../store/port.ts";
import { isSignedWith } from "../../audit/search/signed-with.ts";
import { ConfigError } from "../../errors.ts";
import {
  migrateStore,
  openStore,
  openStoreReader,
  signingKeyFile,
  storeExists,
} from "../../store/open.ts";
import {
  obtainSigningKey,
  readSigningKey,
} from "../../store/signing-key-file.ts";
import { VERSION } from "../../version.ts";
import { SYSTEM } from "../system.ts";
import type { Io } from "../io.ts";

const REST_MS = 20;

/**
 * Opens the configured store for a command that writes, beside a running service or without one. The command is a writer
 * of the audit trail like any process run: its first entry anchors the chains of all others. With `create` the store is
 * made where there is none.
 */
export async function withOperatorStore<T>(
  io: Io,
  facts: { command: string; operator: string },
  use: (store: Store) => Promise<T>,
  options: { create: boolean } = { create: false },
): Promise<T> {
  process.umask(0o077);
  const { DATABASE_URL: url, AUDIT_SIGNING_KEY: key } = readVariables(
    readEnvironment(io.env),
    ["DATABASE_URL", "AUDIT_SIGNING_KEY"],
  );
  if (options.create && !storeExists(url)) {
    migrateStore(url);
  }
  // Refuses what is not there, or of another version: such a command makes no store and changes no schema.
  const trail = openStoreReader(url);
  const isNew = (await trail.lastPosition()) === 0;
  const signingKey = key ?? keyBeside(signingKeyFile(url), isNew);
  const publicKey = publicKeyOf(signingKey);
  const same = await isSignedWith(trail, publicKey);
  await trail.close();
  if (!same) {
    throw new ConfigError([
      "AUDIT_SIGNING_KEY: is not the key that the service signs with; give this command the service's",
    ]);
  }
  const store = await openStore(url, {
    writer: `cli-${SYSTEM.randomHex(8)}`,
    signingKey,
    now: Date.now,
    onFatal: () => undefined,
    delivers: false,
  });
  try {
    const heads = await store.heads();
    const started = { at: Date.now(), version: VERSION, ...facts };
    // Asked for at once, they share a transaction: no start is there without the checkpoint that anchors it.
    await Promise.all([
      store.append(commandStarted({ ...started, publicKey, heads })),
      store.checkpoint(),
    ]);
    const result = await use(store);
    await Promise.all([
      store.append(commandStopped(Date.now(), facts)),
      store.checkpoint(),
    ]);
    return result;
  } finally {
    await store.close();
  }
}

/** To be awaited between batches: the service has the store to itself for a moment. */
export async function restAfterBatch(): Promise<void> {
  await delay(REST_MS);
}

/** No key is made where there are entries already: the service signs them with one that is elsewhere. */
function keyBeside(file: string, isNew: boolean): KeyObject {
  const key =
    readSigningKey(file) ?? (isNew ? obtainSigningKey(file).key : null);
  if (key === null) {
    throw new ConfigError([
      "AUDIT_SIGNING_KEY: must be set as for the service, since there is no key beside the store (or start `hexhook serve` once)",
    ]);
  }
  return key;
}
