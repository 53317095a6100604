import { X509Certificate } from "node:crypto";
import type { PostgresTls, PostgresUrl, StoreUrl } from "../store/url.ts";
import { readTextFile } from "./text-file.ts";

/** The error completes the sentence "DATABASE_URL …". It contains no part of the URL, which may hold a password. */
type Parsed<T> = T | { readonly error: string };

const DEFAULT_PORT = 5432;
const MAX_CA_BYTES = 1_048_576;

/** The parameters of a PostgreSQL URL. Others are rejected, because some would make the connection less safe. */
const PARAMETERS = ["sslmode", "sslrootcert"];

/**
 * Parses `sqlite:FILE`, `sqlite:///ABSOLUTE/FILE`, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. A SQLite database in
 * memory is an error.
 */
export function parseStoreUrl(text: string): Parsed<StoreUrl> {
  if (/^postgres(?:ql)?:/i.test(text)) {
    return parsePostgresUrl(text);
  }
  const file = /^sqlite:(?:\/\/(?=\/))?(.+)$/s.exec(text)?.[1];
  return file === undefined || file === ":memory:" || file.endsWith("/")
    ? {
        error:
          "must be sqlite:FILE, such as sqlite:data/hexhook.db, or postgres://USER:PASSWORD@HOST/DATABASE",
      }
    : { driver: "sqlite", file };
}

function parsePostgresUrl(text: string): Parsed<PostgresUrl> {
  if (!URL.canParse(text) || !/^[^:]+:\/\//.test(text)) {
    return malformed();
  }
  const url = new URL(text);
  const parameters = url.searchParams;
  if (url.hash !== "") {
    return malformed();
  }
  if (
    [...parameters.keys()].some((name) => !PARAMETERS.includes(name)) ||
    new Set(parameters.keys()).size !== parameters.size
  ) {
    return {
      error: `has a parameter that is unknown or a duplicate; supported are ${PARAMETERS.join(" and ")}`,
    };
  }
  const [user, password, host, database] = [
    url.username,
    url.password,
    url.hostname.replace(/^\[(.*)\]$/, "$1"),
    url.pathname.slice(1),
  ].map(decoded);
  if (
    user === undefined ||
    password === undefined ||
    host === undefined ||
    database === undefined
  ) {
    return malformed();
  }
  if (user === "") {
    return missing("a user name");
  }
  if (host === "") {
    return missing("a host");
  }
  if (host.includes(",")) {
    return { error: "must name one host, not a list" };
  }
  if (database === "" || database.includes("/")) {
    return missing("a database");
  }
  const tls = parseTls(parameters, host.startsWith("/"));
  return tls !== null && "error" in tls
    ? tls
    : {
        driver: "postgres",
        host,
        port: url.port === "" ? DEFAULT_PORT : Number(url.port),
        database,
        user,
        password: password === "" ? undefined : password,
        tls,
      };
}

/** Returns how the connection is encrypted; null = not at all. */
function parseTls(
  parameters: URLSearchParams,
  isSocket: boolean,
): Parsed<PostgresTls> | null {
  const mode = parameters.get("sslmode") ?? "disable";
  const file = parameters.get("sslrootcert");
  if (mode === "disable") {
    return file === null
      ? null
      : { error: "has sslrootcert without sslmode=verify-full" };
  }
  if (isSocket) {
    return { error: "must not have sslmode, because a Unix socket has no TLS" };
  }
  if (file === null || (file === "system" && mode === "verify-full")) {
    switch (mode) {
      case "require":
        return { verify: "none", ca: undefined };
      case "verify-full":
        return { verify: "full", ca: undefined };
      case "verify-ca":
        return {
          error:
            "has sslmode=verify-ca without sslrootcert, the file with the certificate of the authority; set it, or use verify-full",
        };
      default:
        return unknownMode();
    }
  }
  if (!["require", "verify-ca", "verify-full"].includes(mode)) {
    return unknownMode();
  }
  const ca = readCa(file);
  return "error" in ca
    ? ca
    : { verify: mode === "verify-full" ? "full" : "ca", ca: ca.text };
}

function readCa(file: string): Parsed<{ readonly text: string }> {
  const read = readTextFile(file, MAX_CA_BYTES);
  if ("error" in read) {
    return { error: `has an sslrootcert that ${read.error}` };
  }
  try {
    // Throws if the text does not begin with a certificate.
    new X509Certificate(read.text);
    return read;
  } catch {
    return {
      error: "has an sslrootcert that names a file without a PEM certificate",
    };
  }
}

function unknownMode(): { readonly error: string } {
  return {
    error:
      "has an unknown sslmode; supported are disable, require, verify-ca and verify-full (allow and prefer could silently turn encryption off)",
  };
}

function missing(what: string): { readonly error: string } {
  return {
    error: `must name ${what}: postgres://USER:PASSWORD@HOST/DATABASE`,
  };
}

function malformed(): { readonly error: string } {
  return {
    error:
      "is not a valid URL; in the user name and the password, write special characters such as / ? # @ : % as %2F %3F %23 %40 %3A %25",
  };
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

/** Returns warnings about the security of the connection. */
export function storeUrlWarnings(url: StoreUrl): string[] {
  return url.driver === "postgres" && url.tls?.verify === "none"
    ? [
        "DATABASE_URL: sslmode=require encrypts the connection, but does not check whose server it is; use sslmode=verify-full, with sslrootcert if the server's certificate is from an authority of your own",
      ]
    : [];
}
