import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type {
  Algorithm,
  Scheme,
  TimestampFormat,
} from "../../../src/domain/scheme.ts";
import { isJsonContainer, readTextAt } from "../../../src/json/read-members.ts";
import { decodeBase64, decodeHex } from "../../../src/signature/encoding.ts";
import { compileOffered } from "../../../src/signature/offered.ts";
import { SCHEMES, schemeOf } from "../../../src/signature/schemes.ts";
import { compileTemplate } from "../../../src/signature/template.ts";
import { parseTimestamp } from "../../../src/signature/timestamps.ts";
import { verify } from "../../../src/signature/verify.ts";
import { schemeSource } from "../../support/scheme-source.ts";

/*
 * Each parser is compared with a grammar that is written down here again, in another form. A parser may be stricter than its
 * grammar, but never accept a text that the grammar refuses, and never throw.
 */

/** Text of a header: Node decodes each byte as one character. */
const latin1 = fc
  .uint8Array({ maxLength: 80 })
  .map((bytes) => Buffer.from(bytes).toString("latin1"));

const hexText = (bytes: number): fc.Arbitrary<string> =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((value) => Buffer.from(value).toString("hex"));

const base64Text = (bytes: number): fc.Arbitrary<string> =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((value) => Buffer.from(value).toString("base64"));

/** Pieces of signature headers, valid ones and nearly valid ones. */
const piece = fc.oneof(
  fc.constantFrom(
    ..."t= ts= v0= v1= v1a, v1, h1= sha256= sha1= , ; = . 0x + - e".split(" "),
    " ",
    "\t",
    "\u00a0",
    "t=1700000000",
    "ts=1700000000",
  ),
  ...[0, 19, 20, 31, 32, 33, 64].flatMap((n) => [hexText(n), base64Text(n)]),
  hexText(32).map((text) => text.toUpperCase()),
  hexText(32).map((text) => `v1=${text}`),
  hexText(32).map((text) => `h1=${text}`),
  base64Text(32).map((text) => `v1,${text}`),
  base64Text(64).map((text) => `v1a,${text}`),
  latin1,
);

const headerText = fc
  .tuple(
    fc.constantFrom("", " ", ",", ";", ", "),
    fc.array(piece, { maxLength: 20 }),
  )
  .map(([separator, pieces]) => pieces.join(separator));

const SIGNATURE_BYTES = new Map<Algorithm, number>([
  ["hmac-sha1", 20],
  ["ed25519", 64],
]);

/** Text that is a signature of the scheme, except for at most one piece before or after it. */
function nearlyValid(scheme: Scheme): fc.Arbitrary<string> {
  const { syntax, encoding } = scheme.signature;
  const start =
    syntax.kind === "raw"
      ? (syntax.prefix ?? "")
      : syntax.kind === "pairs"
        ? `${syntax.key}=`
        : "v1,";
  const bytes = SIGNATURE_BYTES.get(scheme.algorithm) ?? 32;
  const signature = (encoding === "hex" ? hexText : base64Text)(bytes);
  const around = fc.oneof(fc.constantFrom("", "", " ", ",", ";"), piece);
  return fc
    .tuple(around, fc.constantFrom(start, start, ""), signature, around)
    .map((parts) => parts.join(""));
}

/** Returns the signatures in a text that the grammar accepts, as it writes them; null if it accepts none. */
type Grammar = (text: string) => readonly string[] | null;

const raw =
  (form: RegExp): Grammar =>
  (text) => {
    const signature = form.exec(text)?.[1];
    return signature === undefined ? null : [signature];
  };

const HEX_32 = /^[0-9a-fA-F]{64}$/;

/** `key=value` items; `t` at most once. */
const pairs =
  (separator: string, key: string, timestampKey: string): Grammar =>
  (text) => {
    const items = text
      .split(separator)
      .map((item) => /^[ \t]*([^=]*?)[ \t]*=[ \t]*(.*?)[ \t]*$/s.exec(item));
    const named = (wanted: string): string[] =>
      items.flatMap((item) => (item?.[1] === wanted ? [item[2] ?? ""] : []));
    const signatures = named(key);
    const valid = signatures.filter((one) => HEX_32.test(one));
    return items.includes(null) ||
      named(timestampKey).length > 1 ||
      signatures.length > 16 ||
      valid.length === 0
      ? null
      : valid;
  };

const list: Grammar = (text) => {
  const known = text
    .split(" ")
    .filter((item) => item.startsWith("v1,") || item.startsWith("v1a,"));
  const valid = known.filter((item) =>
    /^(?:v1,[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=|v1a,[A-Za-z0-9+/]{85}[AQgw]==)$/.test(
      item,
    ),
  );
  return known.length > 16 || valid.length === 0
    ? null
    : valid.map((item) => item.slice(item.indexOf(",") + 1));
};

const GRAMMARS: readonly [scheme: string, grammar: Grammar][] = [
  ["hex", raw(/^([0-9a-fA-F]{64})$/)],
  ["github", raw(/^sha256=([0-9a-fA-F]{64})$/)],
  ["slack", raw(/^v0=([0-9a-fA-F]{64})$/)],
  ["shopify", raw(/^([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)$/)],
  ["twilio", raw(/^([A-Za-z0-9+/]{26}[AEIMQUYcgkosw048]=)$/)],
  ["discord", raw(/^([0-9a-fA-F]{128})$/)],
  ["stripe", pairs(",", "v1", "t")],
  ["paddle", pairs(";", "h1", "ts")],
  ["standard-webhooks", list],
];

function signaturesIn(scheme: Scheme, text: string): string[] | null {
  const read = compileOffered(scheme)(text);
  return typeof read === "string"
    ? null
    : read.offered.map(({ signature }) => signature.toString("hex"));
}

describe("the parsers of signatures", () => {
  it.each(GRAMMARS)(
    "accept for %s exactly what its grammar accepts",
    (name, grammar) => {
      const scheme = schemeOf(name);
      const { encoding } = scheme.signature;
      let accepted = 0;
      const texts = fc.oneof(headerText, nearlyValid(scheme));
      fc.assert(
        fc.property(texts, (text) => {
          const expected = grammar(text)?.map((signature) =>
            Buffer.from(
              signature,
              encoding === "hex" ? "hex" : "base64",
            ).toString("hex"),
          );
          accepted += expected === undefined ? 0 : 1;
          expect(signaturesIn(scheme, text)).toEqual(expected ?? null);
        }),
        { numRuns: 500 },
      );
      expect(accepted).toBeGreaterThan(0);
    },
  );

  it("read a long run of spaces in linear time", () => {
    // In quadratic time this would take several minutes.
    const spaces = " ".repeat(400_000);
    const signature = "0".repeat(64);
    const text = `t=1${spaces}2,v1=${spaces}${signature}${spaces}`;

    const read = compileOffered(schemeOf("stripe"))(text);

    expect(read).toMatchObject({
      offered: [{ signature: Buffer.alloc(32) }],
    });
  });

  it("decode base64 of any length", () => {
    const bytes = Buffer.alloc(26_214_400);

    expect(decodeBase64(bytes.toString("base64"))?.equals(bytes)).toBe(true);
  });

  it("decode only the one text that encodes the bytes", () => {
    fc.assert(
      fc.property(
        fc.oneof(latin1, piece, headerText, fc.string({ unit: "binary" })),
        (text) => {
          const hex = decodeHex(text);
          const base64 = decodeBase64(text);
          expect(hex?.toString("hex") ?? text.toLowerCase()).toBe(
            text.toLowerCase(),
          );
          expect(base64?.toString("base64") ?? text).toBe(text);
          expect([hex !== null, base64 !== null]).toEqual([
            /^(?:[0-9a-f][0-9a-f])*$/i.test(text),
            Buffer.from(text, "base64").toString("base64") === text,
          ]);
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** The same instants as RFC 3339 defines them, computed from the fields. */
function rfc3339(text: string): number | null {
  const fields =
    /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|([+-])(\d\d):(\d\d))$/.exec(
      text,
    );
  if (fields === null) {
    return null;
  }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] =
    fields.slice(1, 7).map(Number);
  const [offsetHour = 0, offsetMinute = 0] = fields
    .slice(8)
    .map((field: string | undefined) => Number(field ?? 0));
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  if (
    day < 1 ||
    day > (days[month - 1] ?? 0) ||
    hour > 23 ||
    minute > 59 ||
    second > 59 ||
    offsetHour > 23 ||
    offsetMinute > 59
  ) {
    return null;
  }
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const offset = (offsetHour * 60 + offsetMinute) * 60;
  return date.getTime() / 1000 + (fields[7] === "-" ? offset : -offset);
}

const two = (max: number): fc.Arbitrary<string> =>
  fc.integer({ min: 0, max }).map((n) => String(n).padStart(2, "0"));

const nearlyRfc3339 = fc
  .tuple(
    fc.integer({ min: 0, max: 9999 }).map((n) => String(n).padStart(4, "0")),
    two(13),
    two(32),
    fc.constantFrom("T", "t", " "),
    two(25),
    two(61),
    two(61),
    fc.constantFrom("", ".", ".5", ".123456789", ".1234567890", ","),
    fc.constantFrom("Z", "z", "", "+00:00", "-07:00", "+24:00", "+01:60", "+1"),
  )
  .map(
    ([year, month, day, t, hour, minute, second, fraction, zone]) =>
      `${year}-${month}-${day}${t}${hour}:${minute}:${second}${fraction}${zone}`,
  );

const TIMESTAMP_GRAMMARS: Readonly<
  Record<TimestampFormat["unit"], (text: string) => number | null>
> = {
  s: (text) => (/^[0-9]{1,11}$/.test(text) ? Number(text) : null),
  ms: (text) =>
    /^[0-9]{1,14}$/.test(text) ? Math.floor(Number(text) / 1000) : null,
  rfc3339,
};

describe("the parsers of timestamps", () => {
  it.each(["s", "ms", "rfc3339"] as const)(
    "accept in %s exactly what the grammar accepts",
    (unit) => {
      const text = fc.oneof(
        latin1,
        nearlyRfc3339,
        fc.bigInt({ min: -10n, max: 10n ** 15n }).map(String),
        fc.double().map(String),
        fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
        fc.constantFrom(
          " 1",
          "1 ",
          "+1",
          "-1",
          "1e9",
          "0x10",
          "1_0",
          "１",
          "01",
          "1.0",
          "NaN",
          "",
        ),
      );
      fc.assert(
        fc.property(text, (one) => {
          expect(parseTimestamp(one, unit)).toBe(TIMESTAMP_GRAMMARS[unit](one));
        }),
        { numRuns: 500 },
      );
    },
  );
});

describe("the reader of JSON", () => {
  const document = fc.oneof(
    fc.json(),
    fc.json().map((text) => text.replace(/[,:[\]{}"]/, "")),
    fc
      .array(fc.constantFrom(...'{}[],:"a1e.-\\u0 \n'.split(""), '"a":', "1e3"))
      .map((parts) => parts.join("")),
  );

  it("accepts exactly the objects and arrays that JSON.parse accepts", () => {
    fc.assert(
      fc.property(document, (text) => {
        expect(isJsonContainer(Buffer.from(text))).toBe(
          typeof parsed(text) === "object" && parsed(text) !== null,
        );
      }),
      { numRuns: 500 },
    );
  });

  it("does not decode a text of more than 8 KB", () => {
    const readOf = (text: string) =>
      readTextAt(Buffer.from(JSON.stringify({ text })), ["text"]);
    const longest = "a".repeat(8190);

    expect(readOf(longest)).toBe(longest);
    expect(readOf(`${longest}a`)).toBeNull();
  });

  it("reads the text and the integers at a pointer, and never throws", () => {
    const value = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.maxSafeInteger(),
      fc.double(),
      fc.constantFrom(null, true, [], {}, 2 ** 53, 1e21, -0),
    );
    fc.assert(
      fc.property(fc.string(), value, document, (name, one, other) => {
        const body = Buffer.from(JSON.stringify([0, { b: 1, [name]: one }]));
        const expected =
          typeof one === "string"
            ? one
            : typeof one === "number" && Number.isSafeInteger(one)
              ? String(one)
              : one === null ||
                  (typeof one === "number" && !Number.isFinite(one))
                ? undefined
                : null;
        expect(readTextAt(body, ["1", name])).toBe(expected);
        readTextAt(Buffer.from(other), ["a", "0", name]);
      }),
      { numRuns: 500 },
    );
  });
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

describe("templates", () => {
  it("are compiled or refused, and filled in order", () => {
    const part = fc.oneof(
      fc.constantFrom("{id}", "{body}", "{timestamp}", "{", "}", "{x}", "{}"),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(part), (texts) => {
        const text = texts.join("");
        const template = compileTemplate(text);
        const rest = text.replace(
          /\{(?:id|timestamp|body|method|url|decoded_url)\}/g,
          "",
        );
        expect(template !== null).toBe(!/[{}]/.test(rest));
        const filled = template?.fill({
          id: "{id}",
          timestamp: "{timestamp}",
          body: Buffer.from("{body}"),
          method: "{method}",
          url: "{url}",
          decoded_url: "{decoded_url}",
        });
        expect(filled?.map(String).join("") ?? text).toBe(text);
      }),
    );
  });
});

describe("a forged request", () => {
  const NAMES = [...SCHEMES.keys()];
  const sources = new Map(
    NAMES.map((name) => [name, schemeSource(schemeOf(name)).source]),
  );

  it.each(NAMES)("of scheme %s is refused, whatever it contains", (name) => {
    const source = sources.get(name);
    const { prefixes = [""], signature, timestamp, id } = schemeOf(name);
    const { from } = signature;
    const headers =
      "headers" in from ? from.headers : "header" in from ? [from.header] : [];
    const others = [timestamp?.from, id.from].flatMap((place) =>
      place && "header" in place ? [place.header] : [],
    );
    const nameOf = fc
      .tuple(
        fc.constantFrom(...headers, ...others, "x"),
        fc.constantFrom(...prefixes),
      )
      .map(([header, prefix]) => header.replace("*", prefix));
    const body = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .tuple(headerText, fc.constantFrom("1700000000", "x", ""))
        .map(([text, time]) =>
          Buffer.from(
            JSON.stringify({
              signature: { signature: text, timestamp: time, token: text },
            }),
          ),
        ),
    );
    fc.assert(
      fc.property(
        fc.dictionary(nameOf, fc.oneof(headerText, fc.constant("1700000000"))),
        body,
        fc.webUrl({ withQueryParameters: true }),
        fc.constantFrom(
          "application/json",
          "application/x-www-form-urlencoded",
          "",
        ),
        (some, bytes, url, contentType) => {
          const message = {
            method: "POST",
            url,
            headers: { ...some, "content-type": contentType },
            body: Buffer.from(bytes),
          };
          expect(source && verify(source, message, 0).ok).toBe(false);
        },
      ),
      { numRuns: 50 },
    );
  });
});
