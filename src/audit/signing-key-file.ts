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
import { readPrivateKey } from "./checkpoint.ts";
import { ConfigError, errorCode, StoreError } from "../errors.ts";
import { makeFolder } from "../store/sqlite/open.ts";

/** Everyone's bits and the group's. */
const OTHERS = 0o077;

/** The file beside a store that holds the key its checkpoints are signed with. */
export function auditKeyFile(storeFile: string): string {
  return `${storeFile}-audit-key.pem`;
}

/**
 * The key beside the store, made at the first start: an Ed25519 key in PEM, readable by this user alone. Two processes
 * that start at once get the same one. `openToOthers`: somebody has given others a right to the file.
 */
export function obtainAuditKey(storeFile: string): {
  key: KeyObject;
  openToOthers: boolean;
} {
  const file = auditKeyFile(storeFile);
  let key = readAuditKey(storeFile);
  if (key === null) {
    makeAuditKey(file);
    key = readAuditKey(storeFile);
  }
  if (key === null) {
    throw fault(file, "is gone again");
  }
  return { key, openToOthers: (statSync(file).mode & OTHERS) !== 0 };
}

/** The key beside the store; null when there is none yet. Throws ConfigError when there is something else. */
export function readAuditKey(storeFile: string): KeyObject | null {
  const file = auditKeyFile(storeFile);
  let pem: string;
  try {
    pem = readFileSync(file, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") {
      return null;
    }
    throw fault(file, `cannot be read (${errorCode(error) ?? "unknown"})`);
  }
  const key = readPrivateKey(pem);
  if (key === null) {
    throw fault(file, "is not an Ed25519 private key in PEM");
  }
  return key;
}

/** Makes the key, unless another process is quicker: a key that is there is never written over. */
function makeAuditKey(file: string): void {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ format: "pem", type: "pkcs8" });
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  makeFolder(path.resolve(path.dirname(file)));
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

function fault(file: string, what: string): ConfigError {
  return new ConfigError([
    `AUDIT_SIGNING_KEY: is not set, and ${file} ${what}; mend that file, or set AUDIT_SIGNING_KEY`,
  ]);
}
