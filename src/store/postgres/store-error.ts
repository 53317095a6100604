import { asError, errorCode, StoreError } from "../../errors.ts";
import { describeStore, type PostgresUrl } from "../url.ts";

/** The connection is gone, so it is unknown whether the statement in flight took effect. */
export const UNREACHABLE = "POSTGRES_UNREACHABLE";

/** The statement took too long, or waited too long for a lock or a connection. */
export const TIMEOUT = "POSTGRES_TIMEOUT";

/** The session, or the server, does not accept writes. */
export const READ_ONLY = "25006";

/** What the SQLSTATE of an error means for an operator, and what to do (PostgreSQL's documentation, appendix A). */
const ADVICE: Readonly<Record<string, string>> = {
  "28000": "it rejected the user: check DATABASE_URL and pg_hba.conf",
  "28P01": "it rejected the user or the password: check DATABASE_URL",
  "3D000": "the database does not exist: create it, or check DATABASE_URL",
  "53100": "its disk is full: free some space",
  "53200": "it is out of memory: check its settings",
  "53300":
    "it has no connection left: raise its max_connections, or lower DATABASE_POOL",
  [READ_ONLY]:
    "it does not accept writes: set DATABASE_URL to the primary, and default_transaction_read_only to off",
  "42501":
    "the user lacks a permission: let the user own the database, or grant it",
  XX001: "the stored data are damaged: restore a backup",
  XX002: "an index is damaged: run REINDEX",
};

/** Errors of TLS that mean an untrusted certificate. */
const UNTRUSTED =
  /^(?:ERR_TLS_CERT|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA)/;

/**
 * SQLSTATE classes whose messages name only tables, columns and constraints. Messages of other classes may contain values of
 * the statement.
 */
const SAFE_MESSAGE = /^(?:0A|23|25|40|42|55|HX)/;

/** Shutdown, crash, start, and the connection exceptions: the server is not there, or ended the connection. */
const GONE = /^(?:57P0[1-5]|08|25P0[34])/;

/** The server canceled the statement: statement_timeout, lock_timeout, or an operator. */
const CANCELED = /^(?:57014|55P03)$/;

/** Converts an error of the driver or of PostgreSQL to a StoreError. The message never contains values or the password. */
export function asStoreError(thrown: unknown): StoreError {
  if (thrown instanceof StoreError) {
    return thrown;
  }
  const { message } = asError(thrown);
  const code = errorCode(thrown);
  if (code !== undefined && isSqlState(thrown, code)) {
    return ofSqlState(code, message);
  }
  if (/password/.test(message)) {
    return storeError(
      "POSTGRES_PASSWORD",
      "PostgreSQL asks for a password: add it to DATABASE_URL",
    );
  }
  if (/not support SSL/.test(message)) {
    return storeError(
      "POSTGRES_TLS",
      "PostgreSQL does not offer TLS: turn on its setting `ssl`, or set sslmode=disable in DATABASE_URL",
    );
  }
  if (code !== undefined && UNTRUSTED.test(code)) {
    return storeError(
      "POSTGRES_TLS",
      `the certificate of PostgreSQL is not trusted (${code}): check sslrootcert and the host name in DATABASE_URL`,
    );
  }
  if (code?.startsWith("ERR_") === true && !code.startsWith("ERR_SSL")) {
    return storeError("STORE_PROGRAM_FAULT", `a statement failed (${code})`);
  }
  return unreachable(code);
}

/** Returns the error for a server that cannot be reached, or a connection that was lost. */
export const unreachable = (code = "connection lost"): StoreError =>
  storeError(
    UNREACHABLE,
    `PostgreSQL cannot be reached (${code}): check that it runs, and DATABASE_URL`,
  );

/** Returns the error for something that took longer than its deadline. */
export const timedOut = (what: string): StoreError =>
  storeError(TIMEOUT, `${what}: check the load of PostgreSQL`);

/** Returns an error after which nothing was written or the connection is lost. The store can be used again later. */
export const storeError = (code: string, message: string): StoreError =>
  new StoreError(message, { code, fatal: false });

/** Runs `work`. Its errors name the database, because they happen before it can be used. */
export async function named<T>(
  url: PostgresUrl,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const { message, code, fatal } = asStoreError(thrown);
    const place = `${describeStore(url)}: `;
    throw new StoreError(
      message.startsWith(place) ? message : place + message,
      { code, fatal },
    );
  }
}

/** Errors of PostgreSQL have a severity; errors of the network and of this process do not. */
const isSqlState = (thrown: unknown, code: string): boolean =>
  /^[0-9A-Z]{5}$/.test(code) &&
  typeof thrown === "object" &&
  thrown !== null &&
  "severity" in thrown;

function ofSqlState(code: string, message: string): StoreError {
  if (/startup parameter/.test(message)) {
    return storeError(
      "POSTGRES_POOLER",
      "a connection pooler rejects the session's settings: set DATABASE_URL to PostgreSQL itself",
    );
  }
  if (GONE.test(code)) {
    return unreachable(code);
  }
  if (CANCELED.test(code)) {
    return timedOut(`PostgreSQL took too long (${code})`);
  }
  const advice = ADVICE[code];
  if (advice !== undefined) {
    return storeError(code, `PostgreSQL (${code}): ${advice}`);
  }
  const [firstLine = ""] = message.split("\n");
  return storeError(
    code,
    `PostgreSQL rejected a statement (${code})${SAFE_MESSAGE.test(code) ? `: ${firstLine}` : ""}`,
  );
}
