import { accessSync, constants } from "node:fs";
import type { TrailReport } from "../../audit/verify/trail-report.ts";
import {
  createTrailVerifier,
  type VerifyOptions,
} from "../../audit/verify/verify-trail.ts";
import { StoredEvents } from "../../audit/verify/stored-events.ts";
import { readEnvironment, readVariables } from "../../config/load-config.ts";
import { publicKeyOf } from "../../audit/checkpoint.ts";
import type { StoreReader } from "../../store/port.ts";
import { errorCode } from "../../errors.ts";
import { signingKeyFile } from "../../store/open.ts";
import { readSigningKey } from "../../store/signing-key-file.ts";
import { createProgressBar } from "../ui/progress-bar.ts";
import { rowsOf, withReader } from "./reader.ts";
import type { Io } from "../io.ts";

/**
 * Returns the public key of the configured signing key. Returns an empty list if the key does not exist yet, or this user may
 * not read it. Throws ConfigError for any other error: a wrong key must not weaken a verification.
 */
export function configuredKey(io: Io): string[] {
  const { DATABASE_URL: url, AUDIT_SIGNING_KEY: key } = readVariables(
    readEnvironment(io.env),
    ["DATABASE_URL", "AUDIT_SIGNING_KEY"],
  );
  const file = signingKeyFile(url);
  const signing =
    key ?? (file !== null && mayRead(file) ? readSigningKey(file) : null);
  return signing === null ? [] : [publicKeyOf(signing)];
}

function mayRead(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch (thrown) {
    return errorCode(thrown) !== "EACCES";
  }
}

/** Verifies the trail of the configured store and compares the stored events with it. Shows a progress bar. */
export async function verifyStore(
  io: Io,
  options: VerifyOptions,
): Promise<TrailReport> {
  const verify = async (store: StoreReader): Promise<TrailReport> => {
    const verifier = createTrailVerifier(options);
    const events = new StoredEvents(store);
    const heads = await store.heads();
    const bar = createProgressBar(io, await store.lastPosition());
    let position = 0;
    // An attacker may have inserted rows before the first one.
    for await (const row of rowsOf(store, Number.MIN_SAFE_INTEGER)) {
      const entry = verifier.entry(row.line);
      if (entry !== null) {
        await events.take(entry);
      }
      bar.advance(row.position - position);
      position = row.position;
    }
    const report = verifier.finish(heads);
    const eventFaults = await events.finish(verifier.deletedBefore);
    bar.done();
    return { ...report, eventFaults };
  };
  // Reads a snapshot, since a running service may append and purge entries in the meantime.
  return withReader(io, verify, { snapshot: true });
}
