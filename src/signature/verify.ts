import type { SigningSecret, Source } from "../domain/source.ts";
import { type CompiledScheme, variantFor } from "./compiled-scheme.ts";
import { compare } from "./mac.ts";
import type { SignedMessage } from "./message.ts";
import { type Pairs, signedText, type SignedText } from "./place.ts";
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
  /** Whether two requests with one replay key have the same idempotency key. */
  readonly coversKey: boolean;
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
  const { scheme, signed } = variant;

  const read = variant.readSignatures(message);
  if (typeof read === "string") {
    return { ok: false, reason: read };
  }
  const { offered, pairs } = read;
  if (signed.usesUrl && source.publicUrl === null) {
    return { ok: false, reason: "missing_public_url" };
  }

  let time: ReadTime = NO_TIME;
  if (signed.names.has("timestamp")) {
    time = readTime(variant, message, pairs);
    if ("reason" in time) {
      return { ok: false, reason: time.reason };
    }
  }
  let id: SignedText = "";
  const idPlace = scheme.id.from;
  if (signed.names.has("id") && idPlace !== null) {
    const text = variant.readId?.(message, pairs);
    if (!text) {
      return {
        ok: false,
        reason: text === undefined ? "missing_id" : "malformed_id",
      };
    }
    id = signedText(text, idPlace);
  }

  const alternatives = signed.alternatives(source, message, {
    id,
    timestamp: time.signed,
  });
  let matching: SigningSecret | undefined;
  let replayKey: Buffer | null = null;
  for (const secret of source.secrets) {
    const found = compare(secret, offered, alternatives);
    if (found !== null && matching === undefined) {
      matching = secret;
      replayKey = found;
    }
  }
  if (matching === undefined || replayKey === null) {
    return { ok: false, reason: "bad_signature" };
  }
  const { keyId, expiresAt } = matching;
  if (expiresAt !== null && now >= expiresAt) {
    return { ok: false, reason: "expired_secret", keyId };
  }
  if (scheme.timestamp !== null && time === NO_TIME) {
    // The timestamp is in the body, which is verified now.
    time = readTime(variant, message, pairs);
    if ("reason" in time) {
      return { ok: false, reason: time.reason, keyId };
    }
  }
  return {
    ok: true,
    keyId,
    signedAt: time.at,
    ...variant.identify(message),
    replayKey,
    // As a text, one body can end where another one continues with the separator. A JSON value cannot.
    coversKey:
      signed.hasOneReading &&
      (source.mediaTypes === null || signed.names.size === 1),
  };
}

type ReadTime =
  | { readonly signed: SignedText; readonly at: number | null }
  | { readonly reason: string };

const NO_TIME = { signed: "", at: null } as const;

/** Reads the timestamp of a message. */
function readTime(
  { scheme: { timestamp }, readTimestamp }: CompiledScheme,
  message: SignedMessage,
  pairs: Pairs,
): ReadTime {
  const text = readTimestamp?.(message, pairs);
  if (timestamp === null || text === undefined) {
    return { reason: "missing_timestamp" };
  }
  const at = text === null ? null : parseTimestamp(text, timestamp.unit);
  return text === null || at === null
    ? { reason: "malformed_timestamp" }
    : { signed: signedText(text, timestamp.from), at };
}
