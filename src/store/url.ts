import path from "node:path";

/** The location of a store: a parsed DATABASE_URL. */
export type StoreUrl = SqliteUrl | PostgresUrl;

export interface SqliteUrl {
  readonly driver: "sqlite";
  /** The path of the database file. */
  readonly file: string;
}

export interface PostgresUrl {
  readonly driver: "postgres";
  /** A name, an address, or the absolute path of the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Must not be logged or shown. */
  readonly password: string | undefined;
  /** Null = the connection is not encrypted. */
  readonly tls: PostgresTls | null;
}

export interface PostgresTls {
  /** What is checked of the server's certificate: nothing, its issuer, or its issuer and its name. */
  readonly verify: "none" | "ca" | "full";
  /** The certificates in PEM format that the server's must be signed with; undefined = those that Node trusts. */
  readonly ca: string | undefined;
}

/** Returns the location of a store for messages, without user name and password. */
export function describeStore(url: StoreUrl): string {
  if (url.driver === "sqlite") {
    return url.file;
  }
  const { host, port, database } = url;
  return host.startsWith("/")
    ? `${path.posix.join(host, `.s.PGSQL.${port}`)}/${database}`
    : `${host.includes(":") ? `[${host}]` : host}:${port}/${database}`;
}

/** Returns the protection of the connection to a store. `local`: it does not leave the machine. `unchecked`: any server. */
export function protectionOf(
  url: StoreUrl,
): "local" | "none" | "unchecked" | "verified" {
  if (url.driver === "sqlite" || isLocal(url.host)) {
    return "local";
  }
  if (url.tls === null) {
    return "none";
  }
  return url.tls.verify === "none" ? "unchecked" : "verified";
}

const isLocal = (host: string): boolean =>
  /^(?:\/|localhost$|127\.|::1$)/.test(host);
