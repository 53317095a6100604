import { headerOf, type SignedMessage } from "../message.ts";
import { splitQuery } from "../public-url.ts";
import type { Cause } from "./causes.ts";
import { coverageOf } from "./coverage.ts";
import type { Change, Context, Trial } from "./finding.ts";

/** Other URLs and methods that the sender may have signed. */
export const URL_CHANGES: Change = {
  kind: "content",
  *candidates(trial, context) {
    const { source, message } = trial;
    const coverage = coverageOf(source.scheme);
    if (coverage.url) {
      for (const { base, query } of signedUrls(trial, context)) {
        yield {
          source: { ...source, publicUrl: base },
          message: { ...message, url: pathOf(message) + query },
          finding: urlFinding(source.publicUrl, message, { base, query }),
        };
      }
    }
    if (coverage.method) {
      for (const method of ["POST", "GET", "PUT"]) {
        yield {
          source,
          message: { ...message, method },
          finding: {
            cause: "method",
            says: `the sender signed the method ${method}, but the request has ${message.method}`,
            fix: "check that no redirect changes the method of the request",
          },
        };
      }
    }
  },
};

interface SignedUrl {
  readonly base: string;
  readonly query: string;
}

const URL_PARTS = /^(https?):\/\/([^/?#:]+|\[[^\]]*\])(:\d+)?([^?#]*)$/i;

/** Yields every combination of the schemes, hosts, ports, paths and queries that appear in the request or are common. */
function* signedUrls(
  { source, message }: Trial,
  { url }: Context,
): Generator<SignedUrl> {
  const configured = source.publicUrl ?? "";
  const given = splitQuery(url ?? "");
  const hosts = [
    given.base,
    configured,
    `https://${headerOf(message, "x-forwarded-host")}`,
    `https://${headerOf(message, "host")}`,
  ].flatMap((one) => URL_PARTS.exec(one)?.slice(2, 4) ?? []);
  const paths = unique([
    partsOf(configured)?.path ?? "",
    partsOf(given.base)?.path ?? "",
    pathOf(message),
  ]);
  const queries = unique([queryOf(message), given.query, ""]);
  // Hosts and ports alternate in the list.
  const names = unique(hosts.filter((_, n) => n % 2 === 0));
  const ports = unique([
    ...hosts.filter((_, n) => n % 2 === 1),
    "",
    ":443",
    ":80",
    ":3000",
    ":8080",
  ]);
  for (const query of queries) {
    for (const path of unique(paths.flatMap(withSlash))) {
      for (const name of names) {
        for (const port of ports) {
          for (const protocol of ["https", "http"]) {
            yield { base: `${protocol}://${name}${port}${path}`, query };
          }
        }
      }
    }
  }
}

function withSlash(path: string): readonly string[] {
  return [path, path.endsWith("/") ? path.slice(0, -1) : `${path}/`];
}

/** Names the first part in which the signed URL differs from the configured one. */
function urlFinding(
  configured: string | null,
  message: SignedMessage,
  signed: SignedUrl,
): { cause: Cause; says: string; fix: string } {
  const says = `the sender signed the URL ${signed.base}`;
  const fix = `set publicUrl of the source to ${signed.base}, or register the configured URL at the sender`;
  const own = partsOf(configured ?? "");
  const other = partsOf(signed.base);
  if (own === null || other === null) {
    return {
      cause: "url-missing",
      says: `${says}, but the source has no publicUrl`,
      fix: `set publicUrl of the source to ${signed.base}`,
    };
  }
  const differs = (cause: Cause, what: string) => ({
    cause,
    says: `${says}, but publicUrl has ${what}`,
    fix,
  });
  if (own.host !== other.host) {
    return differs("url-host", "another host");
  }
  if (own.protocol !== other.protocol) {
    return differs("url-scheme", `${own.protocol}://`);
  }
  if (own.port !== other.port) {
    return differs(
      "url-port",
      own.port === "" ? "no port" : `the port ${own.port.slice(1)}`,
    );
  }
  if (own.path !== other.path) {
    return differs("url-path", "another path");
  }
  return {
    cause: "url-query",
    says:
      signed.query === ""
        ? "the sender signed the URL without the query of the request"
        : "the sender signed the URL with a query that the request does not have",
    fix:
      queryOf(message) === ""
        ? "check that no proxy or rewrite rule removes the query"
        : "check that no proxy or rewrite rule adds a query",
  };
}

function partsOf(
  url: string,
): { protocol: string; host: string; port: string; path: string } | null {
  const [, protocol, host, port = "", path = ""] = URL_PARTS.exec(url) ?? [];
  return protocol === undefined || host === undefined
    ? null
    : { protocol, host, port, path };
}

function pathOf({ url }: SignedMessage): string {
  return splitQuery(url).base;
}

function queryOf({ url }: SignedMessage): string {
  return splitQuery(url).query;
}

function unique(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.map((value) => value ?? ""))];
}
