import { beforeEach, describe, expect, it } from "@jest/globals";
import { createHash, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import Ajv from "ajv";
import { parse } from "yaml";
import { configJsonSchema } from "../../../src/config/config-schema.ts";
import type { Environment } from "../../../src/config/load-config.ts";
import { ConfigError } from "../../../src/errors.ts";
import { SCHEME_NAMES } from "../../../src/signature/schemes.ts";
import { configFiles, WHERE } from "../../support/config-file.ts";
import { OTHER_SECRET, SECRET } from "../../support/fixtures.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const { withFile, fileErrors } = configFiles(() => folder.path);

const matchesSchema = new Ajv().compile(configJsonSchema());

const PUBLIC_KEYS = {
  p256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ed25519: generateKeyPairSync("ed25519"),
};
const SPKI = { format: "der", type: "spki" } as const;
const RAW_ED25519 = PUBLIC_KEYS.ed25519.publicKey.export(SPKI).subarray(-32);

/** Secrets in the formats of the schemes. */
const ENV: Environment = {
  TEXT: "e5b1c0ffee-sender-secret-0001",
  TEXT_2: "e5b1c0ffee-sender-secret-0002",
  CHOSEN: OTHER_SECRET,
  WHSEC: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  WHPK: `whpk_${RAW_ED25519.toString("base64")}`,
  ED25519_HEX: RAW_ED25519.toString("hex"),
  SPKI: PUBLIC_KEYS.p256.publicKey.export(SPKI).toString("base64"),
  PEM: PUBLIC_KEYS.p256.publicKey
    .export({ format: "pem", type: "spki" })
    .toString(),
  SHORT: "short-one",
  FORTY: "0123456789abcdef0123456789abcdef01234567",
};

const SECRET_OF: Readonly<Record<string, string>> = {
  hex: "CHOSEN",
  "hex-body": "CHOSEN",
  "standard-webhooks": "WHSEC",
  svix: "WHSEC",
  clerk: "WHSEC",
  resend: "WHSEC",
  openai: "WHSEC",
  brex: "WHSEC",
  replicate: "WHSEC",
  discord: "ED25519_HEX",
  sendgrid: "SPKI",
};

const CUSTOM =
  'signature: { header: x-sig, prefix: "sha256=", encoding: hex }, algorithm: sha256, signed: "{timestamp}.{body}", timestamp: { header: x-ts, unit: s }';

/** Returns a file with one source of a scheme. */
function oneSource(scheme: string, more = ""): string {
  const own =
    scheme === "custom"
      ? `, custom: { ${CUSTOM} }`
      : scheme === "token"
        ? ", token: { header: X-Token }"
        : "";
  const secret = SECRET_OF[scheme] ?? "TEXT";
  return `sources: { s: { scheme: ${scheme}, secrets: [ { env: ${secret} } ]${own}${more} } }`;
}

const WITH_URL = { ...ENV, PUBLIC_URL: "https://hooks.example.com" };

describe("a source of the configuration file", () => {
  it.each(SCHEME_NAMES)("may have scheme %s", (scheme) => {
    const content = oneSource(scheme);
    const { sources } = withFile(content, WITH_URL);
    expect(sources).toMatchObject([
      {
        name: "s",
        publicUrl: "https://hooks.example.com/webhooks/s",
        sharesSecretWith: [],
      },
    ]);
    expect(matchesSchema(parse(content))).toBe(true);
    // Only hex rejects a replay, because many senders retry with identical bytes.
    expect(sources[0]!.onReplay).toBe(
      scheme === "hex" ? "reject" : "acknowledge",
    );
  });

  it("has the scheme of its alias", () => {
    const { sources } = withFile(oneSource("clerk"), ENV);
    expect(sources).toMatchObject([{ scheme: { name: "standard-webhooks" } }]);
  });

  it.each([
    ["standard-webhooks", "WHPK"],
    ["sendgrid", "PEM"],
  ])("of scheme %s may have the public key %s", (scheme, variable) => {
    const content = oneSource(scheme).replace(/env: \w+/, `env: ${variable}`);
    const { sources, warnings } = withFile(content, {
      ...ENV,
      HEX_SECRET: undefined,
    });
    expect(sources[0]!.secrets[0]!.publicKey).not.toBeNull();
    expect(warnings).toEqual([]);
  });

  it("has all its settings", () => {
    const content = `
sources:
  shop:
    scheme: stripe
    secrets: [ { env: TEXT, createdAt: 2026-11-01 }, { env: TEXT_2, expiresAt: 2026-12-01 } ]
    onReplay: reject
    destinations: [ billing ]
    publicUrl: "HTTPS://Hooks.example.com:443/in/stripe"
    replayWindow: 10m
    allowFrom: [ 192.0.2.1, 10.0.0.0/8, "2001:db8::/32" ]
    maxBodyBytes: 26214400
    mediaTypes: [ application/json, text/* ]
    disabled: true
  page: { scheme: meta, secrets: [ { env: FORTY } ], handshake: { verifyToken: { env: CHOSEN } } }
destinations:
  billing: { url: "http://billing/" }
  all: { handler: "*" }
`;
    const { sources, destinations, handlers, warnings } = withFile(
      content,
      ENV,
    );
    expect(sources).toMatchObject([
      {
        name: "shop",
        onReplay: "reject",
        // As written, because the sender signs it.
        publicUrl: "HTTPS://Hooks.example.com:443/in/stripe",
        replayWindowSeconds: 600,
        allowFrom: ["192.0.2.1", "10.0.0.0/8", "2001:db8::/32"],
        maxBodyBytes: 26_214_400,
        mediaTypes: ["application/json", "text/*"],
        isDisabled: true,
        verifyToken: null,
      },
      { name: "page", isDisabled: false, verifyToken: { text: OTHER_SECRET } },
    ]);
    expect(destinations.map((one) => one.sources)).toEqual([
      ["shop", "page"],
      ["page"],
    ]);
    expect(handlers.sources).toEqual(["page"]);
    // HEX_SECRET of the test is not used.
    expect(warnings).toEqual([
      "HEX_SECRET: is ignored because HEXHOOK_CONFIG does not list source hex",
    ]);
    expect(matchesSchema(parse(content))).toBe(true);
  });

  it("has the scheme that custom describes", () => {
    const content = oneSource("custom").replace(
      "unit: s }",
      "unit: s, window: 2m }, id: { pointer: /event/id }, type: { header: X-Event }",
    );
    const { sources } = withFile(content, ENV);
    expect(sources).toMatchObject([
      {
        replayWindowSeconds: 120,
        scheme: {
          name: "custom",
          algorithm: "hmac-sha256",
          signed: "{timestamp}.{body}",
          id: { from: { pointer: "/event/id" }, isSigned: true },
          type: { from: [{ header: "x-event" }] },
        },
      },
    ]);
    expect(matchesSchema(parse(content))).toBe(true);
  });

  it("has the window of REPLAY_WINDOW_SECONDS only with scheme hex", () => {
    const windows = ["hex", "stripe", "linear", "twitch"].map((scheme) => {
      const env = { ...ENV, REPLAY_WINDOW_SECONDS: "30" };
      return withFile(oneSource(scheme), env).sources[0]!.replayWindowSeconds;
    });
    expect(windows).toEqual([30, 300, 60, 600]);
  });

  it.each([
    [undefined, 262_144],
    ["1000", 1000],
  ])(
    "has a small limit of the body if the body is read before it is verified: MAX_BODY_BYTES=%s",
    (MAX_BODY_BYTES, expected) => {
      const env = { ...ENV, MAX_BODY_BYTES };
      const limitOf = (more: string): number =>
        withFile(oneSource("mailgun", more), env).sources[0]!.maxBodyBytes;
      expect(limitOf("")).toBe(expected);
      expect(limitOf(", maxBodyBytes: 2000000")).toBe(2_000_000);
    },
  );

  it("may share its secret with one of the same scheme, in any form", () => {
    const { sources } = withFile(
      `
sources:
  a: { scheme: github, secrets: [ { env: LONG } ] }
  b: { scheme: github, secrets: [ { env: TEXT }, { env: LONG, expiresAt: 2099-01-01 } ] }
  c: { scheme: github, secrets: [ { env: CHOSEN } ] }
`,
      { ...ENV, LONG: "x1".repeat(40) },
    );
    expect(sources.map((one) => one.sharesSecretWith)).toEqual([
      ["b"],
      ["a"],
      [],
    ]);
  });

  it("is warned about when its secret is short, kept indefinitely, or its handshake cannot succeed", () => {
    const { warnings } = withFile(
      `
sources:
  a: { scheme: github, secrets: [ { env: SHORT }, { env: TEXT } ] }
  b: { scheme: meta, secrets: [ { env: FORTY } ] }
`,
      { ...ENV, HEX_SECRET: undefined },
    );
    expect(warnings).toEqual([
      `${WHERE}sources.a.secrets[0]: is shorter than 16 bytes, so it can be guessed; set a longer one with the sender`,
      `${WHERE}sources.a.secrets[1]: is accepted indefinitely; set expiresAt`,
      `${WHERE}sources.b.handshake.verifyToken: is not set, so the request with which the sender checks the endpoint is rejected`,
    ]);
  });
});

/** Whether the JSON Schema finds the error. It knows neither secrets nor other keys of the file. */
const FOUND = true;
const NOT_FOUND = false;

describe("a mistake in a source", () => {
  const SEPARATE = "which has another scheme; use separate secrets";
  const KEYS =
    "scheme, secrets, onReplay, destinations, publicUrl, allowFrom, maxBodyBytes, mediaTypes, disabled";
  const WINDOW =
    "must be a time from 1s to 15m in whole seconds, such as 90s or 10m";
  const ADDRESS =
    "must be an IP address or a network, such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32";
  const MEDIA =
    "must be a media type in lower case without parameters, such as application/json or text/*";
  const URL_ERROR =
    "must be the http:// or https:// URL that the sender calls, without a user name, password, query or fragment";
  const COPY = "copy the whole secret again from the sender";
  const github = (more: string): string => oneSource("github", `, ${more}`);
  const custom = (settings: string): string =>
    oneSource("custom").replace(CUSTOM, settings);

  it.each<[string, string, boolean]>([
    // Names.
    [
      oneSource("github").replace("{ s:", "{ GitHub:"),
      "sources.GitHub: is not a valid name; use 1 to 64 of a-z, 0-9 and -, and do not start with -",
      FOUND,
    ],
    [
      "sources: { github: { secrets: [ { env: TEXT } ] } }",
      "sources.github.scheme: is missing; add it, such as scheme: github",
      FOUND,
    ],
    [
      oneSource("Git-Hub"),
      "sources.s.scheme: is not a known scheme; did you mean github?",
      FOUND,
    ],
    [
      oneSource("strpie"),
      "sources.s.scheme: is not a known scheme; did you mean stripe?",
      FOUND,
    ],
    [
      oneSource("paypal"),
      `sources.s.scheme: is not a known scheme; the schemes are ${SCHEME_NAMES.join(", ")}`,
      FOUND,
    ],
    [
      "sources: { s: { scheme: github } }",
      "sources.s.secrets: is missing; add a list such as [{ env: NAME }]",
      FOUND,
    ],
    [
      "sources: { hex: { scheme: stripe } }",
      "sources.hex.secrets: is missing; add a list such as [{ env: NAME }]",
      FOUND,
    ],
    [
      github("secret: { env: TEXT }"),
      `sources.s.secret: is not a known key; did you mean secrets? The known keys are ${KEYS}`,
      FOUND,
    ],
    [
      github("replay_window: 5m"),
      `sources.s.replay_window: is not a known key; the known keys are ${KEYS}`,
      FOUND,
    ],
    [
      `${github("destinations: [ bilings ]")}\ndestinations: { billing: { handler: x } }`,
      "sources.s.destinations[0]: must be the name of a destination in this file (billing); did you mean billing?",
      NOT_FOUND,
    ],
    // Secrets.
    [
      "sources: { s: { scheme: github, secrets: { env: TEXT } } }",
      "sources.s.secrets: must be a list of { env: NAME } or { file: PATH }; this file must not contain secrets",
      FOUND,
    ],
    [
      "sources: { s: { scheme: github, secrets: [ geheim ] } }",
      "sources.s.secrets[0]: must be { env: NAME } or { file: PATH }, optionally with createdAt and expiresAt; this file must not contain secrets",
      FOUND,
    ],
    [
      "sources: { s: { scheme: github, secrets: [ { env: NOT_SET } ] } }",
      "sources.s.secrets[0]: NOT_SET is not set; set it, or set NOT_SET_FILE to the path of a file",
      NOT_FOUND,
    ],
    [
      "sources: { s: { scheme: github, secrets: [ { env: TEXT, expiresAt: 2026-12-01 } ] } }",
      "sources.s.secrets[0].expiresAt: is not allowed on the first secret, which is the current one; put the new secret before it",
      FOUND,
    ],
    [
      "sources: { s: { scheme: github, secrets: [ { env: TEXT }, { env: TEXT } ] } }",
      "sources.s.secrets[1]: is the same as secrets[0]; use a new secret",
      NOT_FOUND,
    ],
    [
      "sources: { s: { scheme: custom, secrets: [ { env: SHORT } ], custom: { signature: { header: x, encoding: hex }, algorithm: sha256, signed: '{body}' } } }",
      "sources.s.secrets[0]: SHORT is shorter than 24 bytes; make one with `hexhook secrets generate`",
      NOT_FOUND,
    ],
    [
      "sources: { s: { scheme: svix, secrets: [ { env: TEXT } ] } }",
      "sources.s.secrets[0]: TEXT must be base64, optionally after whsec_",
      NOT_FOUND,
    ],
    [
      "sources: { s: { scheme: svix, secrets: [ { env: SHORT_WHSEC } ] } }",
      `sources.s.secrets[0]: SHORT_WHSEC has a key that is shorter than 24 bytes; ${COPY}`,
      NOT_FOUND,
    ],
    [
      "sources: { s: { scheme: svix, secrets: [ { env: LONG_WHSEC } ] } }",
      `sources.s.secrets[0]: LONG_WHSEC has a key that is longer than 75 bytes; ${COPY}`,
      NOT_FOUND,
    ],
    [
      "sources: { s: { scheme: svix, secrets: [ { env: ZERO_WHSEC } ] } }",
      "sources.s.secrets[0]: ZERO_WHSEC repeats a single byte; replace it with a random value",
      NOT_FOUND,
    ],
    [
      "sources: { s: { scheme: discord, secrets: [ { env: TEXT } ] } }",
      "sources.s.secrets[0]: TEXT must be an Ed25519 public key: 64 hex digits",
      NOT_FOUND,
    ],
    [
      "sources: { s: { scheme: github, secrets: [ { env: SPACED } ] } }",
      "sources.s.secrets[0]: SPACED starts or ends with white space; remove it",
      NOT_FOUND,
    ],
    [
      "sources: { s: { scheme: stripe, secrets: [ { env: QUOTED } ] } }",
      "sources.s.secrets[0]: QUOTED is in quotes; remove them",
      NOT_FOUND,
    ],
    [
      "sources: { s: { scheme: stripe, secrets: [ { env: PLACEHOLDER } ] } }",
      "sources.s.secrets[0]: PLACEHOLDER is a placeholder; replace it with the real value",
      NOT_FOUND,
    ],
    // Secrets of several sources.
    [
      "sources: { a: { scheme: github, secrets: [ { env: TEXT } ] }, b: { scheme: stripe, secrets: [ { env: TEXT } ] } }",
      `sources.b.secrets[0]: is also a secret of source a, ${SEPARATE}`,
      NOT_FOUND,
    ],
    [
      "sources: { a: { scheme: hex, secrets: [ { env: CHOSEN } ] }, b: { scheme: hex-body, secrets: [ { env: CHOSEN } ] } }",
      `sources.b.secrets[0]: is also a secret of source a, ${SEPARATE}`,
      NOT_FOUND,
    ],
    [
      "sources: { hex: { scheme: hex }, b: { scheme: github, secrets: [ { env: HEX_SECRET } ] } }",
      `sources.b.secrets[0]: is also a secret of source hex, ${SEPARATE}`,
      NOT_FOUND,
    ],
    [
      "sources: { a: { scheme: svix, secrets: [ { env: WHSEC } ] }, b: { scheme: github, secrets: [ { env: WHSEC_AS_HEX } ] } }",
      `sources.b.secrets[0]: is also a secret of source a, ${SEPARATE}`,
      NOT_FOUND,
    ],
    [
      "sources: { a: { scheme: svix, secrets: [ { env: WHSEC } ] }, b: { scheme: stripe, secrets: [ { env: WHSEC } ] } }",
      `sources.b.secrets[0]: is also a secret of source a, ${SEPARATE}`,
      NOT_FOUND,
    ],
    [
      "sources: { a: { scheme: svix, secrets: [ { env: WHSEC } ] }, b: { scheme: github, secrets: [ { env: WITH_ZEROS } ] } }",
      `sources.b.secrets[0]: is also a secret of source a, ${SEPARATE}`,
      NOT_FOUND,
    ],
    [
      "sources: { a: { scheme: github, secrets: [ { env: LONG_TEXT } ] }, b: { scheme: svix, secrets: [ { env: HASH_OF_LONG } ] } }",
      `sources.b.secrets[0]: is also a secret of source a, ${SEPARATE}`,
      NOT_FOUND,
    ],
    [
      "sources: { a: { scheme: meta, secrets: [ { env: TEXT } ], handshake: { verifyToken: { env: TEXT } } } }",
      "sources.a.handshake.verifyToken: is also a signing secret of source a; use separate secrets",
      NOT_FOUND,
    ],
    [
      'sources: { a: { scheme: github, secrets: [ { env: TEXT } ] } }\ndestinations: { d: { url: "http://d/", secret: { env: TEXT } } }',
      "destinations.d.secret: is also a signing secret of source a; use separate secrets",
      NOT_FOUND,
    ],
    [
      'sources: { a: { scheme: github, secrets: [ { env: SHORT } ] } }\ndestinations: { d: { url: "http://d/", headers: { Authorization: { env: BEARER_SHORT } } } }',
      "destinations.d.headers.authorization: is also a signing secret of source a; use separate secrets",
      NOT_FOUND,
    ],
    // Settings.
    ...["0s", "16m", "1500ms", "5", "~", "'10'"].map(
      (window): [string, string, boolean] => [
        oneSource("stripe", `, replayWindow: ${window}`),
        `sources.s.replayWindow: ${WINDOW}`,
        ["5", "~", "'10'"].includes(window) ? FOUND : NOT_FOUND,
      ],
    ),
    [
      github("replayWindow: 5m"),
      "sources.s.replayWindow: does not apply to scheme github, which signs no time; remove it",
      FOUND,
    ],
    [
      github("handshake: { verifyToken: { env: TEXT } }"),
      "sources.s.handshake: does not apply to scheme github, whose handshake needs no token; remove it",
      FOUND,
    ],
    [
      oneSource("meta", ", handshake: { token: { env: TEXT } }"),
      "sources.s.handshake.token: is not a known key; the known keys are verifyToken",
      FOUND,
    ],
    ...["localhost", "10.0.0.0/33", "10.0.0", "fe80::1%eth0", "5"].map(
      (address): [string, string, boolean] => [
        github(`allowFrom: [ "${address}" ]`),
        `sources.s.allowFrom[0]: ${ADDRESS}`,
        ["10.0.0.0/33", "10.0.0", "5"].includes(address) ? NOT_FOUND : FOUND,
      ],
    ),
    [github("allowFrom: []"), "sources.s.allowFrom: must not be empty", FOUND],
    [
      github("allowFrom: 10.0.0.0/8"),
      "sources.s.allowFrom: must be a list of addresses and networks",
      FOUND,
    ],
    ...["0", "26214401", "1mb", "1.5"].map(
      (bytes): [string, string, boolean] => [
        github(`maxBodyBytes: ${bytes}`),
        "sources.s.maxBodyBytes: must be a whole number from 1 to 26214400",
        FOUND,
      ],
    ),
    ...[
      "json",
      "application/JSON",
      "application/json; charset=utf-8",
      "*/*",
    ].map((type): [string, string, boolean] => [
      github(`mediaTypes: [ "${type}" ]`),
      `sources.s.mediaTypes[0]: ${MEDIA}`,
      FOUND,
    ]),
    [
      github("mediaTypes: [ text/plain, text/plain ]"),
      "sources.s.mediaTypes[1]: is a duplicate; remove it",
      FOUND,
    ],
    ...["hex", "hex-body", "linear"].map(
      (scheme): [string, string, boolean] => [
        oneSource(scheme, ", mediaTypes: [ text/plain ]"),
        `sources.s.mediaTypes[0]: must be application/json or end with +json, because scheme ${scheme} reads the body`,
        FOUND,
      ],
    ),
    [
      github("disabled: 'yes'"),
      "sources.s.disabled: must be true or false",
      FOUND,
    ],
    [
      github("onReplay: ignore"),
      "sources.s.onReplay: must be one of reject, acknowledge",
      FOUND,
    ],
    ...[
      "hooks.example.com",
      "ftp://a/",
      "https://u:p@a/",
      "https://a/?x=1",
      "https://a/#b",
      "https://a/ b",
      "https://a\\\\b",
    ].map((url): [string, string, boolean] => [
      github(`publicUrl: "${url}"`),
      `sources.s.publicUrl: ${URL_ERROR}`,
      ["https://u:p@a/", "https://a/ b"].includes(url) ? NOT_FOUND : FOUND,
    ]),
    ...["twilio", "square", "hubspot"]
      .filter((scheme) => SCHEME_NAMES.includes(scheme))
      .map((scheme): [string, string, boolean] => [
        oneSource(scheme),
        `sources.s.publicUrl: is missing; set it to the URL that the sender calls, because scheme ${scheme} signs it, or set PUBLIC_URL`,
        NOT_FOUND,
      ]),
    // Schemes that a source describes.
    [
      "sources: { s: { scheme: custom, secrets: [ { env: TEXT } ] } }",
      "sources.s.custom: is missing; describe the requests of the sender with signature, algorithm and signed",
      FOUND,
    ],
    [
      "sources: { s: { scheme: token, secrets: [ { env: TEXT } ] } }",
      "sources.s.token: is missing; name the header of the sender's token, such as { header: X-Token }",
      FOUND,
    ],
    [
      "sources: { s: { scheme: custom, secrets: [ { env: TEXT } ], " +
        `custom: { ${CUSTOM} }, timestamp: { header: x-ts, unit: s } } }`,
      "sources.s.timestamp: is not a known key; did you mean custom.timestamp? The known keys are scheme, secrets, onReplay, destinations, publicUrl, allowFrom, maxBodyBytes, mediaTypes, disabled, replayWindow, custom",
      FOUND,
    ],
    [
      github(`custom: { ${CUSTOM} }`),
      "sources.s.custom: applies only to scheme custom; remove it",
      FOUND,
    ],
    [
      github("token: { header: x }"),
      "sources.s.token: applies only to scheme token; remove it",
      FOUND,
    ],
    [
      oneSource("token").replace("X-Token", "a b"),
      "sources.s.token.header: must be the name of a header",
      NOT_FOUND,
    ],
    [
      oneSource("token").replace("{ header: X-Token }", "X-Token"),
      "sources.s.token: must be a map (keys: header)",
      FOUND,
    ],
    [
      custom(CUSTOM.replace("algorithm: sha256", "algorithm: md5")),
      "sources.s.custom.algorithm: must be one of sha1, sha256, sha512, ed25519",
      FOUND,
    ],
    [
      custom(CUSTOM.replace("encoding: hex", "encoding: base32")),
      "sources.s.custom.signature.encoding: must be one of hex, base64",
      FOUND,
    ],
    [
      custom(CUSTOM.replace("unit: s", "unit: seconds")),
      "sources.s.custom.timestamp.unit: must be one of s, ms, rfc3339",
      FOUND,
    ],
    [
      custom(CUSTOM.replace("unit: s", "unit: s, window: 1h")),
      `sources.s.custom.timestamp.window: ${WINDOW}`,
      NOT_FOUND,
    ],
    [
      custom(CUSTOM.replace("{body}", "{bdy}")),
      "sources.s.custom.signed: must be printable ASCII with no other braces than {id} {timestamp} {body} {method} {url}",
      NOT_FOUND,
    ],
    [
      custom(CUSTOM.replace(', signed: "{timestamp}.{body}"', "")),
      'sources.s.custom.signed: is missing; set it, for example to "{timestamp}.{body}"',
      FOUND,
    ],
    [
      custom(CUSTOM.replace("header: x-sig, ", "")),
      "sources.s.custom.signature.header: is missing; set it to the name of a header",
      FOUND,
    ],
    [
      custom(`${CUSTOM}, id: { header: x-id, pointer: /id }`),
      "sources.s.custom.id: must have either header or pointer",
      NOT_FOUND,
    ],
    [
      custom(`${CUSTOM}, type: { pointer: type }`),
      "sources.s.custom.type.pointer: must be a JSON pointer, such as /event/id",
      NOT_FOUND,
    ],
    [
      custom(`${CUSTOM}, keyDecoding: utf8`),
      "sources.s.custom.keyDecoding: must be one of verbatim, base64, hex",
      FOUND,
    ],
  ])("%s is reported as %s", (content, error, isFound) => {
    const errors = fileErrors(content, {
      ...ENV,
      SHORT_WHSEC: "whsec_MfKQ9r8GKYqr",
      LONG_WHSEC: `whsec_${Buffer.alloc(76, "ab").toString("base64")}`,
      ZERO_WHSEC: `whsec_${Buffer.alloc(24).toString("base64")}`,
      SPACED: " e5b1c0ffee-sender-secret",
      QUOTED: '"e5b1c0ffee-sender-secret"',
      PLACEHOLDER: "whsec_***",
      WHSEC_AS_HEX: Buffer.from(
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "base64",
      ).toString("hex"),
      WITH_ZEROS: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAAAA",
      LONG_TEXT: "geheim-1".repeat(10),
      HASH_OF_LONG: `whsec_${createHash("sha256").update("geheim-1".repeat(10)).digest("base64")}`,
      BEARER_SHORT: "Bearer short-one",
    });
    expect(errors).toEqual([error]);
    expect(errors.join("")).not.toMatch(/geheim|ffee|short-one/);
    expect(matchesSchema(parse(content))).toBe(!isFound);
  });

  it("is reported with the right place, if the keys of custom are those of the source", () => {
    const [missing, ...misplaced] = fileErrors(
      `sources: { s: { scheme: custom, secrets: [ { env: TEXT } ], ${CUSTOM} } }`,
      ENV,
    );
    expect(missing).toMatch(/^sources\.s\.custom: is missing; describe/);
    expect(misplaced).toEqual(
      ["signature", "algorithm", "signed", "timestamp"].map((key) =>
        expect.stringMatching(`did you mean custom\\.${key}\\?`),
      ),
    );
  });

  it("is reported at the variable if the secret is not in the file", () => {
    const content =
      "sources: { b: { scheme: github, secrets: [ { env: HEX_SECRET } ] }, hex: { scheme: hex } }";
    expect(() => withFile(content)).toThrow(
      new ConfigError([
        `HEX_SECRET: is also a secret of source b, ${SEPARATE}`,
      ]),
    );
  });

  it("is reported with those of other sources", () => {
    const content = `
sources:
  a: { scheme: gihub, secrets: [] }
  b: { scheme: twilio, secrets: [ { env: TEXT } ], disabled: 1 }
  c: { scheme: custom, secrets: [ { env: NOT_SET } ], custom: {} }
`;
    expect(fileErrors(content, ENV)).toEqual([
      "sources.a.scheme: is not a known scheme; did you mean github?",
      "sources.a.secrets: must not be empty",
      "sources.b.disabled: must be true or false",
      "sources.c.custom.signature: must be a map (keys: header, prefix, encoding)",
      "sources.c.custom.algorithm: must be one of sha1, sha256, sha512, ed25519",
      'sources.c.custom.signed: is missing; set it, for example to "{timestamp}.{body}"',
      "sources.c.secrets[0]: NOT_SET is not set; set it, or set NOT_SET_FILE to the path of a file",
    ]);
  });
});

it("has its JSON Schema in the package", () => {
  const shipped = path.join(import.meta.dirname, "../../../dist");
  expect(
    JSON.parse(readFileSync(path.join(shipped, "config.schema.json"), "utf8")),
  ).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
});

it("uses HEX_SECRET only for source hex", () => {
  expect(
    withFile("sources: { hex: {} }").sources[0]!.secrets.map(
      ({ text }) => text,
    ),
  ).toEqual([SECRET]);
});
