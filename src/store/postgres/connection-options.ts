import type { ClientConfig } from "pg";
import type { PostgresTls, PostgresUrl } from "../url.ts";

/** How long a statement may take, in milliseconds. A request is answered within 2.5 s, whatever the database does. */
export const DEADLINE_MS = 2000;

/** How much earlier the server cancels a statement than this process closes the connection. */
const SERVER_MARGIN_MS = 200;

/** How long a transaction may hold its locks between two statements by default, for example in a paused process. */
const IDLE_IN_TRANSACTION_MS = 3000;

/** How long a connection is idle before TCP checks whether the other side is still there. */
const KEEP_ALIVE_AFTER_MS = 10_000;

export interface ConnectOptions {
  /** The maximum time of one statement, in milliseconds. */
  readonly deadlineMs?: number;
  /** The maximum time to connect, in milliseconds. */
  readonly connectMs?: number;
  /** How long a transaction may hold its locks between two statements, in milliseconds. */
  readonly idleInTransactionMs?: number;
  /** Whether to leave the settings as an operator has made them, in order to read them. */
  readonly keepsSettings?: boolean;
}

/** Returns the driver's options. */
export function connectionOptions(
  url: PostgresUrl,
  options: ConnectOptions,
): ClientConfig {
  const { connectMs = DEADLINE_MS } = options;
  return {
    host: url.host,
    port: url.port,
    database: url.database,
    user: url.user,
    // A function, because the driver takes a missing password from a file.
    password: () => url.password ?? "",
    ssl: url.tls === null ? false : tlsOptions(url.tls),
    application_name: "hexhook",
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    ...(options.keepsSettings !== true && { options: settings(options) }),
  };
}

function settings({
  deadlineMs = DEADLINE_MS,
  idleInTransactionMs = IDLE_IN_TRANSACTION_MS,
}: ConnectOptions): string {
  const timeout = Math.max(1, deadlineMs - SERVER_MARGIN_MS);
  const all = {
    statement_timeout: timeout,
    lock_timeout: timeout,
    idle_in_transaction_session_timeout: idleInTransactionMs,
    // The tables grow faster than their statistics, and nearly every statement finds a few rows by an index.
    enable_seqscan: "off",
    jit: "off",
    // The formats that the driver reads.
    client_encoding: "UTF8",
    bytea_output: "hex",
    // An operator's change cannot make the commits of a running service unsafe.
    synchronous_commit: "on",
  };
  return Object.entries(all)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(" ");
}

function tlsOptions({ verify, ca }: PostgresTls): ClientConfig["ssl"] {
  return {
    rejectUnauthorized: verify !== "none",
    ...(ca !== undefined && { ca }),
    ...(verify === "ca" && { checkServerIdentity: () => undefined }),
  };
}
