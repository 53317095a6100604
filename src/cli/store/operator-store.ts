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
import { SIGNING_KEY_REQUIRED } from "../../config/errors.ts";
import type { StoreUrl } from "../../store/url.ts";
import { VERSION } from "../../version.ts";
import { SYSTEM } from "../system.ts";
import type { Io } from "../io.ts";

const PAUSE_MS = 20;

/** The connections of a command to a database server. */
const POOL_SIZE = 2;

/**
 * Opens the configured store for a command that writes, whether a service runs or not. The command is a separate writer of the
 * audit trail: its first entry anchors the chains of all others. With `create`, a missing store is created.
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
  if (options.create && !(await storeExists(url))) {
    await migrateStore(url);
  }
  const signingKey = await keyOfService(url, key);
  const publicKey = publicKeyOf(signingKey);
  const store = await openStore(url, {
    writer: `cli-${SYSTEM.randomHex(8)}`,
    signingKey,
    now: Date.now,
    onFatal: () => undefined,
    delivers: false,
    poolSize: POOL_SIZE,
  });
  try {
    const heads = await store.heads();
    const started = { at: Date.now(), version: VERSION, ...facts };
    // Both calls in one turn share a transaction. So no start is stored without the checkpoint that anchors it.
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

/**
 * Returns the key that the trail is signed with. Rejects for a missing store or another schema version, because these commands
 * create no store and migrate no schema. Rejects with ConfigError if `key` is another key.
 */
async function keyOfService(
  url: StoreUrl,
  key: KeyObject | null,
): Promise<KeyObject> {
  const trail = await openStoreReader(url);
  try {
    const isNew = (await trail.lastPosition()) === 0;
    const signingKey = key ?? keyBeside(signingKeyFile(url), isNew);
    if (!(await isSignedWith(trail, publicKeyOf(signingKey)))) {
      throw new ConfigError([
        "AUDIT_SIGNING_KEY: is not the key of the service; give this command the same key",
      ]);
    }
    return signingKey;
  } finally {
    await trail.close();
  }
}

/** Waits between two batches, so that the service can write. */
export async function restAfterBatch(): Promise<void> {
  await delay(PAUSE_MS);
}

/** Returns the key beside the store. Creates a key only for an empty trail: an existing trail is signed with a key elsewhere. */
function keyBeside(file: string | null, isNew: boolean): KeyObject {
  if (file === null) {
    throw new ConfigError([SIGNING_KEY_REQUIRED]);
  }
  const key =
    readSigningKey(file) ?? (isNew ? obtainSigningKey(file).key : null);
  if (key === null) {
    throw new ConfigError([
      "AUDIT_SIGNING_KEY: must be set to the key of the service, since there is no key beside the store (or start `hexhook serve` once)",
    ]);
  }
  return key;
}
