import type { SigningSecret, Source } from "../domain/source.ts";
import { timingSafeEqual } from "node:crypto";
import { parseHexSignature, parseTimestamp } from "./grammar.ts";
import { identify } from "./identify.ts";
import { macOf } from "./mac.ts";
import { headerOf, type SignedMessage } from "./message.ts";
import { schemeOf } from "./scheme.ts";

/** An authentic message, with everything that later layers need: they do not read the headers of the scheme again. */
export interface Verified {
  readonly ok: true;
  /** The key that made the signature. */
  readonly keyId: string;
  /** The signatures that the message carries, decoded. */
  readonly signatures: readonly Buffer[];
  /** Unix seconds; null for a scheme that signs no time. */
  readonly signedAt: number | null;
  /** The event id and type that the sender gave; both null if the message lacks one of them. */
  readonly id: string | null;
  readonly type: string | null;
  /** Whether the signature covers the id. */
  readonly idSigned: boolean;
  /** What the replay guard stores: the decoded signature, so that upper and lower case count as the same request. */
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
  const scheme = schemeOf(source.scheme);

  const signatureText = headerOf(message, scheme.signatureHeader);
  if (signatureText === "") {
    return { ok: false, reason: "missing_signature" };
  }
  const offered = parseHexSignature(signatureText);
  if (offered === null) {
    return { ok: false, reason: "malformed_signature" };
  }

  let timestampText: string | null = null;
  let signedAt: number | null = null;
  if (scheme.timestampHeader !== null) {
    timestampText = headerOf(message, scheme.timestampHeader);
    if (timestampText === "") {
      return { ok: false, reason: "missing_timestamp" };
    }
    signedAt = parseTimestamp(timestampText);
    if (signedAt === null) {
      return { ok: false, reason: "malformed_timestamp" };
    }
  }

  let matching: SigningSecret | undefined;
  for (const secret of source.secrets) {
    const matches = timingSafeEqual(
      macOf(secret.key, timestampText, message.body),
      offered,
    );
    matching = matches && matching === undefined ? secret : matching;
  }
  if (matching === undefined) {
    return { ok: false, reason: "bad_signature" };
  }
  const { keyId, expiresAt } = matching;
  if (expiresAt !== null && now >= expiresAt) {
    return { ok: false, reason: "expired_secret", keyId };
  }
  const identity = identify(message.body);
  return {
    ok: true,
    keyId,
    signatures: [offered],
    signedAt,
    id: identity?.id ?? null,
    type: identity?.type ?? null,
    idSigned: true,
    replayKey: offered,
  };
}
