import type {
  Algorithm,
  Place,
  Scheme,
  SecretFormat,
} from "../domain/scheme.ts";
import { isJsonPointer } from "../json/json-pointer.ts";
import { compileTemplate, CUSTOM_PLACEHOLDERS } from "./template.ts";

/** Where a custom scheme finds a value: a header of any letter case, or a JSON pointer into the body. */
export type CustomPlace =
  { readonly header: string } | { readonly pointer: string };

/** The settings of scheme `custom`, as the configuration file has them. */
export interface CustomSettings {
  readonly signature: {
    readonly header: string;
    readonly prefix?: string | undefined;
    readonly encoding: "hex" | "base64";
  };
  readonly algorithm: keyof typeof CUSTOM_ALGORITHMS;
  /** Default: `verbatim`; for `ed25519`, whose secret is a public key, `hex`. */
  readonly keyDecoding?: "verbatim" | "base64" | "hex" | undefined;
  /** A template over CUSTOM_PLACEHOLDERS. */
  readonly signed: string;
  readonly timestamp?:
    | (CustomPlace & {
        readonly unit: "s" | "ms" | "rfc3339";
        readonly windowSeconds?: number | undefined;
      })
    | undefined;
  readonly id?: CustomPlace | undefined;
  readonly type?: CustomPlace | undefined;
}

/** The settings of scheme `token`, as the configuration file has them. */
export interface TokenSettings {
  readonly header: string;
}

/** A setting that is not valid. `path` is relative to the settings. */
export interface SettingError {
  readonly path: readonly string[];
  readonly message: string;
}

export const CUSTOM_ALGORITHMS = {
  sha1: "hmac-sha1",
  sha256: "hmac-sha256",
  sha512: "hmac-sha512",
  ed25519: "ed25519",
} as const satisfies Record<string, Algorithm>;

const DEFAULT_WINDOW_SECONDS = 300;
/** The minimum for secrets that Hexhook's own users choose. */
const MIN_SECRET_BYTES = 24;

/** RFC 9110 section 5.6.2. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** Headers that describe the connection or the body. They cannot carry a signature, an id or a type. */
const RESERVED_HEADERS = [
  "host",
  "connection",
  "content-length",
  "content-encoding",
  "content-type",
  "transfer-encoding",
  "expect",
  "cookie",
  "set-cookie",
];
/** Headers with credentials. They can carry a signature or a token, but ids and types are shown in logs and the audit trail. */
const SECRET_HEADERS = ["authorization", "proxy-authorization", "x-api-key"];
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

/** Returns the scheme that custom settings describe, or what is wrong with them. */
export function customScheme(
  settings: CustomSettings,
): Scheme | { readonly errors: readonly SettingError[] } {
  const errors = [...placeErrors(settings), ...signedErrors(settings)];
  const secret = secretFormat(settings);
  if (secret === null) {
    errors.push({
      path: ["keyDecoding"],
      message: "must be hex or base64 for a public key",
    });
  }
  if (errors.length > 0 || secret === null) {
    return { errors };
  }
  const { signature, algorithm, signed, timestamp, id, type } = settings;
  const { header, prefix, encoding } = signature;
  return {
    name: "custom",
    algorithm: CUSTOM_ALGORITHMS[algorithm],
    secret,
    signature: {
      from: { header: header.toLowerCase() },
      syntax: { kind: "raw", ...(prefix === undefined ? {} : { prefix }) },
      encoding,
    },
    signed,
    timestamp:
      timestamp === undefined
        ? null
        : {
            from: placeOf(timestamp),
            unit: timestamp.unit,
            windowSeconds: timestamp.windowSeconds ?? DEFAULT_WINDOW_SECONDS,
          },
    id: {
      from: id === undefined ? null : placeOf(id),
      isSigned: id === undefined || "pointer" in id || signed.includes("{id}"),
    },
    type: { from: type === undefined ? [] : [placeOf(type)] },
    media: ["json"],
    onReplay: "acknowledge",
  };
}

/** Returns the scheme of a sender that sends a fixed value in a header, or what is wrong with the settings. */
export function tokenScheme({
  header,
}: TokenSettings): Scheme | { readonly errors: readonly SettingError[] } {
  const message = headerError(header);
  return message === null
    ? {
        name: "token",
        algorithm: "token",
        secret: { format: "text", minBytes: 1 },
        signature: {
          from: { header: header.toLowerCase() },
          syntax: { kind: "raw" },
          encoding: "text",
        },
        signed: "{body}",
        timestamp: null,
        id: { from: null, isSigned: true },
        type: { from: [] },
        media: ["json"],
        onReplay: "acknowledge",
      }
    : { errors: [{ path: ["header"], message }] };
}

function placeOf(place: CustomPlace): Place {
  return "header" in place
    ? { header: place.header.toLowerCase() }
    : { pointer: place.pointer };
}

function headerError(name: string): string | null {
  if (!HEADER_NAME.test(name)) {
    return "must be the name of a header";
  }
  return RESERVED_HEADERS.includes(name.toLowerCase())
    ? "must not be a header that describes the connection or the body"
    : null;
}

function placeErrors({
  signature,
  timestamp,
  id,
  type,
}: CustomSettings): SettingError[] {
  const errors: SettingError[] = [];
  const check = (name: string, place: CustomPlace | undefined): void => {
    if (place === undefined) {
      return;
    }
    const message =
      "header" in place
        ? headerError(place.header)
        : isJsonPointer(place.pointer)
          ? null
          : "must be a JSON pointer, such as /event/id";
    if (message !== null) {
      errors.push({
        path: [name, "header" in place ? "header" : "pointer"],
        message,
      });
    }
  };
  check("signature", { header: signature.header });
  check("timestamp", timestamp);
  check("id", id);
  check("type", type);
  for (const [name, place] of Object.entries({ timestamp, id, type })) {
    if (place === undefined || !("header" in place)) {
      continue;
    }
    if (SECRET_HEADERS.includes(place.header.toLowerCase())) {
      errors.push({
        path: [name, "header"],
        message: "must not be a header with credentials",
      });
    }
    if (place.header.toLowerCase() === signature.header.toLowerCase()) {
      errors.push({
        path: [name, "header"],
        message: "must be another header than that of the signature",
      });
    }
  }
  if (!PRINTABLE_ASCII.test(signature.prefix ?? "")) {
    errors.push({
      path: ["signature", "prefix"],
      message: "must be printable ASCII",
    });
  }
  return errors;
}

function signedErrors({
  signed,
  timestamp,
  id,
}: CustomSettings): SettingError[] {
  const template = compileTemplate(signed, CUSTOM_PLACEHOLDERS);
  if (template === null || !PRINTABLE_ASCII.test(signed)) {
    const names = CUSTOM_PLACEHOLDERS.map((name) => `{${name}}`).join(" ");
    return [
      {
        path: ["signed"],
        message: `must be printable ASCII with no other braces than ${names}`,
      },
    ];
  }
  const { names } = template;
  const errors: SettingError[] = [];
  if (!names.has("body")) {
    errors.push({
      path: ["signed"],
      message:
        "must contain {body}; use the scheme token for a sender that does not sign the body",
    });
  }
  for (const [name, place] of [
    ["timestamp", timestamp],
    ["id", id],
  ] as const) {
    if (names.has(name) && (place === undefined || !("header" in place))) {
      errors.push({
        path: [name],
        message: `must have a header, because signed contains {${name}}`,
      });
    }
  }
  if (
    timestamp !== undefined &&
    "header" in timestamp &&
    !names.has("timestamp")
  ) {
    errors.push({
      path: ["timestamp"],
      message:
        "is not signed, so it protects from nothing; add {timestamp} to signed, or remove timestamp",
    });
  }
  return errors;
}

/** Returns null for a public key as verbatim text. */
function secretFormat({
  algorithm,
  keyDecoding,
}: CustomSettings): SecretFormat | null {
  if (algorithm === "ed25519") {
    return keyDecoding === "verbatim"
      ? null
      : { format: `ed25519-${keyDecoding ?? "hex"}`, minBytes: 32 };
  }
  const format =
    keyDecoding === undefined || keyDecoding === "verbatim"
      ? "text"
      : keyDecoding;
  return { format, minBytes: MIN_SECRET_BYTES };
}
