import { skewSeconds } from "../../domain/replay-window.ts";
import { variantFor } from "../compiled-scheme.ts";
import { verify } from "../verify.ts";
import { proven, type Context, type Finding, type Trial } from "./finding.ts";
import { UNIT_NAMES } from "./unit-names.ts";

/** Returns what is wrong with a message whose signature is valid; null if it is not valid. */
export function explainVerified(
  { source, message }: Trial,
  reason: string,
  { now }: Context,
): Finding | null {
  switch (reason) {
    case "stale_timestamp":
    case "future_timestamp": {
      const result = verify(source, message, now);
      const signedAt = result.ok ? result.signedAt : null;
      return proven(timeFinding(source, now, signedAt ?? 0));
    }
    case "expired_secret":
      return proven({
        cause: "secret-expired",
        says: "the message was signed with a previous secret, which has expired",
        fix: "sign with the current secret",
      });
    case "malformed_payload": {
      const { id, type } = variantFor(source.scheme, message).scheme;
      const places = [id.from, ...type.from].flatMap((place) =>
        place !== null && "pointer" in place ? [place.pointer] : [],
      );
      return proven({
        cause: "payload",
        says: `the signature is valid, but the body is not JSON with a usable id and type at ${places.join(" and ")}`,
        fix: "fix the body at the sender",
      });
    }
    default:
      return null;
  }
}

const TIME_ZONE_STEP = 1800;
const MAX_TIME_ZONE = 14 * 3600;

function timeFinding(
  { scheme, replayWindowSeconds }: Trial["source"],
  now: number,
  signedAt: number,
): Omit<Finding, "isProven"> {
  const unit = scheme.timestamp?.unit ?? "s";
  if (unit === "ms" && Math.abs(skewSeconds(now, signedAt * 1000)) < 1e8) {
    return {
      cause: "timestamp-unit",
      says: `the timestamp is ${UNIT_NAMES.s}, but the scheme has ${UNIT_NAMES.ms}`,
      fix: `have the sender write the timestamp as ${UNIT_NAMES.ms}, and sign it so`,
    };
  }
  const skew = skewSeconds(now, signedAt);
  const away = Math.abs(skew);
  const says = `the signature is valid, but its timestamp is ${away} s ${skew > 0 ? "before" : "after"} the time of this clock; the replay window is ${replayWindowSeconds} s`;
  if (skew > 0) {
    return {
      cause: "stale",
      says,
      fix: "have the sender sign each attempt again, and check both clocks; --now checks as of another time",
    };
  }
  const beyond = away % TIME_ZONE_STEP;
  const isTimeZone =
    away <= MAX_TIME_ZONE &&
    Math.min(beyond, TIME_ZONE_STEP - beyond) <= replayWindowSeconds;
  return isTimeZone && away > TIME_ZONE_STEP / 2
    ? {
        cause: "time-zone",
        says,
        fix: "have the sender use UTC: the difference is that of a time zone",
      }
    : {
        cause: "future",
        says,
        fix: "check the clocks of the sender and of this machine",
      };
}
