import type { SigningSecret, Source } from "../domain/source.ts";
import { timingSafeEqual } from "node:crypto";
import { parseHexSignature, parseTimestamp } from "./grammar.ts";
import { identify } from "./identify.ts";
import { macOf } from "./mac.ts";
import { headerOf, type SignedMessage } from "./message.ts";
import { schemeOf } from "./scheme.ts";

/** An authentic message: what its signature scheme found in it. No other layer reads a sender's headers. */
export interface Verified {
  readonly ok: true;
  /** The key that made the signature. */
  readonly keyId: string;
  /** The signatures that the message carries, decoded. */
  readonly signatures: readonly Buffer[];
  /** Unix seconds; null for a scheme that signs no time. */
  readonly signedAt: number | null;
  /** The sender's event id and type; both null when the message does not carry them as its scheme says. */
  readonly id: string | null;
  readonly type: string | null;
  /** Whether the signature covers the id. */
  readonly idSigned: boolean;
  /** What the replay guard remembers: decoded, so that another spelling of the same signature is the same request. */
  readonly replayKey: Buffer;
}

/** Why a message is not authentic. `keyId` when a secret fits that has expired. */
export interface Unverified {
  readonly ok: false;
  readonly reason: string;
  readonly keyId?: string;
}

export type Verification = Verified | Unverified;

/**
 * Verifies a message over its exact bytes. Checks the grammar first, then tries every secret without early exit, so that
 * the time taken does not tell which one fitted. An expired secret that fits is a reason, never a pass. Whether the
 * signed time is inside the replay window is not judged here: a message that gets there is authentic.
 *
 * `now` is in unix milliseconds.
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

  let fitting: SigningSecret | undefined;
  for (const secret of source.secrets) {
    const fits = timingSafeEqual(
      macOf(secret.key, timestampText, message.body),
      offered,
    );
    fitting = fits && fitting === undefined ? secret : fitting;
  }
  if (fitting === undefined) {
    return { ok: false, reason: "bad_signature" };
  }
  const { keyId, expiresAt } = fitting;
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
