import { UsageError } from "../../errors.ts";
import { withoutChunks } from "../../signature/explain/packed-bodies.ts";

/** A request as an operator has it: from a log, a proxy or an editor. */
export interface CapturedRequest {
  /** Null: the input has no request line. */
  readonly method: string | null;
  /** The request target, path and query; null: the input has no request line. */
  readonly target: string | null;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** Names of headers that were sent more than once. Their values are joined. */
  readonly repeated: readonly string[];
  /** Null: the input has no body. A log of `curl -v` never has one. */
  readonly body: Buffer | null;
}

const REQUEST_LINE = /^([A-Z]+) (\S+) HTTP\/\d(?:\.\d)?$/;
const CURL_REQUEST_LINE = /^> [A-Z]+ \S+ HTTP\/\d(?:\.\d)?\s*$/m;
const UTF8_BOM = Buffer.from("\ufeff");

/**
 * Parses a request in one of three forms: raw HTTP/1; header lines, an empty line and the body; a log of `curl -v`. Of a log with
 * several requests, the last one counts. Throws UsageError for any other form.
 */
export function parseRequest(input: Buffer): CapturedRequest {
  if (/^(?:\xff\xfe|\xfe\xff)/.test(input.toString("latin1", 0, 2))) {
    throw new UsageError(
      "the input is UTF-16, as `>` of PowerShell writes it; save it as UTF-8",
    );
  }
  const bytes = input.subarray(0, UTF8_BOM.length).equals(UTF8_BOM)
    ? input.subarray(UTF8_BOM.length)
    : input;
  const text = bytes.toString("latin1");
  if (CURL_REQUEST_LINE.test(text)) {
    return { ...parseHead(linesSentByCurl(text)), body: null };
  }
  const gap = /\r?\n\r?\n/.exec(text);
  if (gap === null) {
    return { ...parseHead(text.split(/\r?\n/)), body: null };
  }
  const head = parseHead(text.slice(0, gap.index).split(/\r?\n/));
  const body = bytes.subarray(gap.index + gap[0].length);
  return { ...head, body: head.method === null ? body : framed(head, body) };
}

/** Parses header lines: `name: value`. Throws UsageError for any other line. */
export function parseHead(
  lines: readonly string[],
): Omit<CapturedRequest, "body"> {
  let [, method = null, target = null] =
    REQUEST_LINE.exec(lines[0]?.trimEnd() ?? "") ?? [];
  const headers = new Map<string, string>();
  const repeated = new Set<string>();
  for (const line of lines.slice(method === null ? 0 : 1)) {
    if (line.trim() === "") {
      continue;
    }
    // A name that starts with a colon is a pseudo-header of HTTP/2.
    const colon = line.indexOf(":", 1);
    if (colon === -1) {
      throw new UsageError("a header must have the form `name: value`");
    }
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    const earlier = headers.get(name);
    switch (name) {
      case ":method":
        method = value;
        break;
      case ":path":
        target = value;
        break;
      case ":authority":
        headers.set("host", value);
        break;
      default:
        if (earlier !== undefined) {
          repeated.add(name);
        }
        headers.set(
          name,
          earlier === undefined ? value : `${earlier}, ${value}`,
        );
    }
  }
  return {
    method,
    target: target === null ? null : originForm(target),
    headers: Object.fromEntries(headers),
    repeated: [...repeated],
  };
}

/** Returns path and query of a request target, which a client of a proxy writes as a whole URL. */
function originForm(target: string): string {
  const path = /^https?:\/\/[^/?#]*(.*)$/i.exec(target)?.[1];
  return path === undefined ? target : path === "" ? "/" : path;
}

/**
 * Returns the head of the last request in a log of `curl -v`, in which the lines that were sent start with `> `. An empty one ends
 * a head; without it the lines are a part of a response.
 */
function linesSentByCurl(log: string): readonly string[] {
  let complete: readonly string[] = [];
  let lines: string[] | null = null;
  for (const line of log.split(/\r?\n/)) {
    if (CURL_REQUEST_LINE.test(line)) {
      lines = [line.slice(2)];
    } else if (/^>\s*$/.test(line)) {
      complete = lines ?? complete;
      lines = null;
    } else if (line.startsWith("> ")) {
      lines?.push(line.slice(2));
    }
  }
  return complete;
}

/** Returns the body of a raw request by its framing. The newline that an editor adds at the end of a file is not part of it. */
function framed(
  { headers }: Pick<CapturedRequest, "headers">,
  body: Buffer,
): Buffer {
  const length = headers["content-length"] ?? "";
  if (/^\d{1,9}$/.test(length)) {
    const rest = body.toString("latin1", Number(length));
    return /^\r?\n$/.test(rest) ? body.subarray(0, Number(length)) : body;
  }
  return /\bchunked$/i.test(headers["transfer-encoding"] ?? "")
    ? (withoutChunks(body) ?? body)
    : body;
}
