import type { SigningSecret, Source } from "../domain/source.ts";
import { variantFor } from "./compiled-scheme.ts";
import { compare } from "./mac.ts";
import type { SignedMessage } from "./message.ts";
import { parseTimestamp } from "./timestamps.ts";

/** An authentic message, with everything that later layers need: they do not read the headers of the scheme again. */
export interface Verified {
  readonly ok: true;
  /** The key that made the signature. */
  readonly keyId: string;
  /** Unix seconds; null for a scheme that signs no time. */
  readonly signedAt: number | null;
  /** The event id; null if the message must be rejected, because it lacks an id or a type. */
  readonly id: string | null;
  readonly type: string | null;
  /** Whether the id is the idempotency key. False: the SHA-256 of the body is. */
  readonly idSigned: boolean;
  /** What the replay guard stores. Two requests with one key have the same signed bytes and the same secret. */
  readonly replayKey: Buffer;
}

/** A message that is not authentic, and the reason. `keyId` is set if it was signed with an expired secret. */
export interface Unverified {
  readonly ok: false;
  readonly reason: string;
  readonly keyId?: string;
}

export type Verification = Verified | Unverified;

/**
 * Verifies the signature of a message over its exact bytes. `now` is in unix milliseconds.
 *
 * It checks the format of the headers first. Then it tries every secret without early exit, so that the time taken does not reveal
 * which secret matched. A message signed with an expired secret is not verified. The caller checks the replay window afterwards,
 * so `stale_timestamp` always means an authentic message.
 */
export function verify(
  source: Source,
  message: SignedMessage,
  now: number,
): Verification {
  const variant = variantFor(source.scheme, message);
  const { scheme, template } = variant;

  const signatureText = variant.signatureText(message);
  if (signatureText === "") {
    return { ok: false, reason: "missing_signature" };
  }
  const read = variant.readOffered(signatureText);
  if (read === "malformed") {
    return { ok: false, reason: "malformed_signature" };
  }
  if (read === "too_many") {
    return { ok: false, reason: "too_many_signatures" };
  }
  const { offered, pairs } = read;

  let timestamp = "";
  let signedAt: number | null = null;
  if (scheme.timestamp !== null) {
    timestamp = variant.textAt(scheme.timestamp.from, message, pairs);
    if (timestamp === "") {
      return { ok: false, reason: "missing_timestamp" };
    }
    signedAt = parseTimestamp(timestamp, scheme.timestamp.unit);
    if (signedAt === null) {
      return { ok: false, reason: "malformed_timestamp" };
    }
  }
  let id = "";
  if (template.names.has("id") && scheme.id.from !== null) {
    id = variant.textAt(scheme.id.from, message, pairs);
    if (id === "") {
      return { ok: false, reason: "missing_id" };
    }
  }

  const { method, body } = message;
  const signed = template.fill({
    id,
    timestamp,
    method,
    url: publicUrlOf(source, message),
    body,
  });
  let matching: SigningSecret | undefined;
  let replayKey: Buffer | undefined;
  for (const secret of source.secrets) {
    const found = compare(secret, offered, signed);
    if (found.matches && matching === undefined) {
      matching = secret;
      replayKey = found.replayKey;
    }
  }
  if (matching === undefined || replayKey === undefined) {
    return { ok: false, reason: "bad_signature" };
  }
  const { keyId, expiresAt } = matching;
  if (expiresAt !== null && now >= expiresAt) {
    return { ok: false, reason: "expired_secret", keyId };
  }
  return { ok: true, keyId, signedAt, ...variant.identify(message), replayKey };
}

/** The URL that the sender called. It is never built from headers, which an attacker can set. */
function publicUrlOf({ publicUrl }: Source, { url }: SignedMessage): string {
  const query = url.indexOf("?");
  return `${publicUrl ?? ""}${query === -1 ? "" : url.slice(query)}`;
}
