import { judgeWindow, skewSeconds } from "../domain/replay-window.ts";
import { singleHeadersOf } from "../signature/compiled-scheme.ts";
import type { Trial } from "../signature/explain/finding.ts";
import {
  unsignedHandshake,
  verifiedHandshake,
} from "../signature/handshakes.ts";
import { verify } from "../signature/verify.ts";

/** The result of a check. */
export interface Checked {
  /** The reason as in the audit trail; null = verified. */
  readonly reason: string | null;
  readonly keyId: string | undefined;
}

/**
 * Checks a request as the service does. `repeated` has the names of headers that were sent twice, `now` is in unix milliseconds.
 */
export function checkRequest(
  { source, message }: Trial,
  repeated: readonly string[],
  now: number,
): Checked {
  const singles = singleHeadersOf(source.scheme);
  const twice = repeated.find((name) => singles.includes(name));
  if (twice !== undefined) {
    return { reason: `repeated_header_${twice}`, keyId: undefined };
  }
  const handshake = unsignedHandshake(source, message);
  if (handshake !== null) {
    const reason = "reason" in handshake ? handshake.reason : null;
    return { reason, keyId: handshake.keyId };
  }
  const verified = verify(source, message, now);
  if (!verified.ok) {
    const { reason, keyId } = verified;
    return { reason, keyId };
  }
  const { signedAt, keyId, id, type } = verified;
  if (signedAt !== null) {
    const skew = skewSeconds(now, signedAt);
    const verdict = judgeWindow(skew, source.replayWindowSeconds);
    if (verdict !== "inside") {
      return { reason: verdict, keyId };
    }
  }
  if (id === null || type === null) {
    return { reason: "malformed_payload", keyId };
  }
  const answer = verifiedHandshake(source, message, keyId);
  const isRejected = answer !== null && "reason" in answer;
  return { reason: isRejected ? answer.reason : null, keyId };
}
