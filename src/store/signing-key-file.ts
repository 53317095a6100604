import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { readPrivateKey } from "../audit/checkpoint.ts";
import { ConfigError, errorCode, StoreError } from "../errors.ts";
import { processUser } from "./write-access.ts";
import { makeFolder, requireWritable } from "./make-folder.ts";

/** The permission bits of the group and of others. */
const OTHERS = 0o077;

/**
 * The signing key in `file`, made when there is none: an Ed25519 key in PEM, readable by this user alone. Two processes
 * that start together get the same one. Throws ConfigError when the file holds something else, StoreError when it cannot be
 * made.
 */
export function obtainSigningKey(file: string): {
  key: KeyObject;
  isReadableByOthers: boolean;
} {
  let key = readSigningKey(file);
  if (key === null) {
    makeKey(file);
    key = readSigningKey(file);
  }
  if (key === null) {
    throw keyError(file, "was deleted");
  }
  return { key, isReadableByOthers: (statSync(file).mode & OTHERS) !== 0 };
}

/** The signing key in `file`; null when there is none. Throws ConfigError when the file holds something else. */
export function readSigningKey(file: string): KeyObject | null {
  let pem: string;
  try {
    pem = readFileSync(file, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") {
      return null;
    }
    const code = errorCode(error) ?? "unknown";
    throw keyError(file, `cannot be read by ${processUser()} (${code})`);
  }
  const key = readPrivateKey(pem);
  if (key === null) {
    throw keyError(file, "is not an Ed25519 private key in PEM");
  }
  return key;
}

/** Makes the key, unless another process is faster: an existing key is never overwritten. */
function makeKey(file: string): void {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ format: "pem", type: "pkcs8" });
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  makeFolder(path.resolve(path.dirname(file)));
  requireWritable(file);
  try {
    writeDurably(draft, pem.toString());
    try {
      linkSync(draft, file);
      syncFolder(path.dirname(file));
    } finally {
      unlinkSync(draft);
    }
  } catch (error) {
    const code = errorCode(error) ?? "unknown";
    if (code !== "EEXIST") {
      throw new StoreError(
        `cannot make the key ${file} (${code}): make that possible, or set AUDIT_SIGNING_KEY`,
        { code: "AUDIT_KEY", fatal: false },
      );
    }
  }
}

function writeDurably(file: string, text: string): void {
  const descriptor = openSync(file, "wx", 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function keyError(file: string, what: string): ConfigError {
  return new ConfigError([
    `AUDIT_SIGNING_KEY: is not set, and ${file} ${what}; mend that file, or set AUDIT_SIGNING_KEY`,
  ]);
}
