import { timingSafeEqual } from "node:crypto";
import type { Verify } from "../intake/intake.ts";
import type { SigningSecret } from "../domain/model.ts";
import { parseHexSignature, parseTimestamp } from "./grammar.ts";
import { macOf } from "./mac.ts";
import { schemeOf } from "./scheme.ts";

/**
 * Verifies a message over its exact bytes. Grammar first, then every secret is tried without early exit, so that
 * the time taken does not tell which one fitted. An expired secret that fits is a reason, never a pass. Whether
 * the signed time is inside the replay window is not judged here: what gets there is authentic.
 */
export const verify: Verify = ({ source, body, header }, now) => {
  const scheme = schemeOf(source.scheme);

  const signatureText = header(scheme.signatureHeader);
  if (signatureText === undefined || signatureText === "") {
    return { ok: false, reason: "missing_signature" };
  }
  const offered = parseHexSignature(signatureText);
  if (offered === null) {
    return { ok: false, reason: "malformed_signature" };
  }

  let timestampText: string | null = null;
  let signedAt: number | null = null;
  if (scheme.timestampHeader !== null) {
    timestampText = header(scheme.timestampHeader) ?? "";
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
      macOf(secret.key, timestampText, body),
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
  return { ok: true, keyId, mac: offered, signedAt };
};
