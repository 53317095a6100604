import { judgeWindow, skewSeconds } from "../../src/domain/replay-window.ts";
import type { Source } from "../../src/domain/source.ts";
import type { SignedMessage } from "../../src/signature/message.ts";
import { verify } from "../../src/signature/verify.ts";

/** Returns `verified`, or why the intake would reject the message. `now` in unix milliseconds. */
export function judge(
  source: Source,
  message: SignedMessage,
  now: number,
): string {
  const verified = verify(source, message, now);
  if (!verified.ok) {
    return verified.reason;
  }
  const verdict =
    verified.signedAt === null
      ? "inside"
      : judgeWindow(
          skewSeconds(now, verified.signedAt),
          source.replayWindowSeconds,
        );
  return verdict === "inside" ? "verified" : verdict;
}
