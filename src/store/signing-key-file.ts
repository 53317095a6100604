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
 * Reads the signing key from `file`, and creates it if it does not exist: an Ed25519 key in PEM that only this user can read.
 * Processes that start at the same time get the same key. Throws ConfigError if the file contains something else, StoreError
 * if the key cannot be created.
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
    throw keyError(file, "was deleted during startup");
  }
  return { key, isReadableByOthers: (statSync(file).mode & OTHERS) !== 0 };
}

/** Reads the signing key from `file`; null = there is no file. Throws ConfigError if the file contains something else. */
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

/** Creates the key, unless another process creates it first. An existing key is never overwritten. */
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
        `cannot create the signing key ${file} (${code}): check its directory and the disk, or set AUDIT_SIGNING_KEY`,
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

function keyError(file: string, problem: string): ConfigError {
  return new ConfigError([
    `AUDIT_SIGNING_KEY: is not set, and the key file ${file} ${problem}; replace that file, or set AUDIT_SIGNING_KEY`,
  ]);
}
