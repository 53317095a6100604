import {
  createPublicKey,
  hash as digest,
  type KeyObject,
  sign as signWithKey,
} from "node:crypto";
import type { Algorithm, Place, Scheme } from "../domain/scheme.ts";
import type { SigningSecret, Source } from "../domain/source.ts";
import { bodyWithText, SignError } from "./body-with-text.ts";
import { variantsOf } from "./compiled-scheme.ts";
import { encodeSignature } from "./encoding.ts";
import { joined, macOf, PUBLIC_KEY_HASHES, type SignedBytes } from "./mac.ts";
import { isFormMessage, type SignedMessage } from "./message.ts";
import {
  compilePlace,
  headersIn,
  NO_PAIRS,
  signedText,
  type SignedText,
} from "./place.ts";
import { formatTimestamp } from "./timestamps.ts";
import { withBodyHash } from "./twilio.ts";

/** What a sender wants to send. */
export interface UnsignedRequest {
  readonly body: Buffer;
  readonly contentType: string;
  /** The event id; null: the id that the body has, and the beginning of the body's SHA-256 for a header that needs an id. */
  readonly id: string | null;
  /** The event type; null: the type that the body has, and no header with a type. */
  readonly type: string | null;
  /** The time to sign, in unix milliseconds. */
  readonly at: number;
  /** Where the request is sent. Its query is signed if the scheme signs the URL. */
  readonly url: string;
  /** For schemes whose secret is a public key. */
  readonly privateKey?: KeyObject | undefined;
}

export { SignError };

/** A request as a sender of the source sends it, with POST. */
export interface SignedRequest {
  readonly url: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * Signs a request as a sender of the source does, with the current secret. It puts the timestamp, the id and the type where the
 * scheme has them, also into the body. Without `publicUrl`, the URL of the request is the signed one.
 *
 * Throws SignError if the body has no place for them, or if the private key is missing or does not belong to the scheme.
 */
export function signRequest(
  source: Pick<Source, "scheme" | "secrets" | "publicUrl">,
  request: UnsignedRequest,
): SignedRequest {
  const [variant] = variantsOf(source.scheme);
  const [secret] = source.secrets;
  if (variant === undefined || secret === undefined) {
    throw new SignError("there is no secret to sign with");
  }
  const { scheme, signed } = variant;
  const headers: Record<string, string> = {
    "content-type": request.contentType,
  };
  let message: SignedMessage = {
    method: "POST",
    url: request.url,
    headers,
    body: request.body,
  };

  /** Puts a text where the scheme has it. A pair is written with the signature. */
  const put = (place: Place, text: string): void => {
    const [header] = headersIn(place);
    if (header !== undefined) {
      headers[header] = text;
    } else if (compilePlace(place)(message, NO_PAIRS) !== text) {
      message = { ...message, body: bodyWithText(message, place, text) };
    }
  };

  let timestamp: SignedText = "";
  if (scheme.timestamp !== null) {
    const text = formatTimestamp(request.at, scheme.timestamp.unit);
    put(scheme.timestamp.from, text);
    timestamp = signedText(text, scheme.timestamp.from);
  }
  let id: SignedText = "";
  const idPlace = scheme.id.from;
  if (idPlace !== null) {
    const text =
      request.id ??
      variant.readId?.(message, NO_PAIRS) ??
      digest("sha256", request.body, "hex").slice(0, GENERATED_ID_DIGITS);
    if (
      request.id !== null ||
      headersIn(idPlace).length > 0 ||
      signed.names.has("id")
    ) {
      put(idPlace, text);
    }
    id = signedText(text, idPlace);
  }
  const [typePlace] = scheme.type.from;
  if (typePlace !== undefined && request.type !== null) {
    put(typePlace, request.type);
  }
  if (typeof scheme.signed !== "string" && !isFormMessage(message)) {
    message = { ...message, url: withBodyHash(message.url, message.body) };
  }

  const publicUrl = source.publicUrl ?? withoutQuery(message.url);
  const [bytes = []] = signed.alternatives({ publicUrl }, message, {
    id,
    timestamp,
  });
  const signature = encodeSignature(
    scheme.signature.encoding,
    signatureOf(secret, bytes, request.privateKey),
  );
  const { from } = scheme.signature;
  put(
    from,
    formatSignature(scheme, secret.algorithm, { signature, timestamp }),
  );
  return { url: message.url, headers, body: message.body };
}

const GENERATED_ID_DIGITS = 32;

function withoutQuery(url: string): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}

function signatureOf(
  { algorithm, key, publicKey }: SigningSecret,
  bytes: SignedBytes,
  privateKey: KeyObject | undefined,
): Buffer {
  switch (algorithm) {
    case "hmac-sha1":
    case "hmac-sha256":
    case "hmac-sha512":
      return macOf(algorithm, key, bytes);
    case "token":
      return key;
    case "ed25519":
    case "ecdsa-p256": {
      if (privateKey === undefined) {
        throw new SignError(
          "the secret is a public key; the private key is needed to sign",
        );
      }
      if (publicKey?.equals(createPublicKey(privateKey)) !== true) {
        throw new SignError(
          "the private key does not belong to the public key of the source",
        );
      }
      return signWithKey(
        PUBLIC_KEY_HASHES[algorithm],
        joined(bytes),
        privateKey,
      );
    }
  }
}

/** Writes a signature as the scheme has it in its header. */
function formatSignature(
  { signature: { syntax }, timestamp: format }: Scheme,
  algorithm: Algorithm,
  { signature, timestamp }: { signature: string; timestamp: SignedText },
): string {
  switch (syntax.kind) {
    case "raw":
      return `${syntax.prefix ?? ""}${signature}`;
    case "pairs": {
      const own = `${syntax.key}=${signature}`;
      return format !== null && "pair" in format.from
        ? `${format.from.pair}=${timestamp.toString()}${syntax.separator}${own}`
        : own;
    }
    case "list": {
      const version = Object.entries(syntax.versions).find(
        ([, by]) => by === algorithm,
      );
      return `${version?.[0] ?? ""},${signature}`;
    }
  }
}
