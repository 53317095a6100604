import { isJsonContainer } from "../../json/read-members.ts";
import { skewSeconds } from "../../domain/replay-window.ts";
import { variantFor } from "../compiled-scheme.ts";
import { verify } from "../verify.ts";
import { proven, type Context, type Finding, type Trial } from "./finding.ts";
import { UNIT_NAMES } from "./unit-names.ts";

/** The reason for a header that must be single. */
const REPEATED_HEADER = /^repeated_header_(.+)$/;

/** Returns what is wrong if the reason alone says it; null if the signature must be examined. */
export function explainReason(
  { source, message }: Trial,
  reason: string,
  { now }: Context,
): Finding | null {
  const repeated = REPEATED_HEADER.exec(reason)?.[1];
  if (repeated !== undefined) {
    return proven({
      cause: "header-repeated",
      says: `the header ${repeated} was sent twice`,
      fix: "check that only the sender sets it, and that no proxy adds it again",
    });
  }
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
    case "malformed_payload":
      return proven({
        cause: "payload",
        says: `the signature is valid, but ${payloadFault(source, message)}`,
        fix: "have the sender send JSON with these members",
      });
    case "interaction":
      return proven({
        cause: "interaction",
        says: "the signature is valid, but the message is an interaction, which needs a response of an application",
        fix: "register the URL for webhook events only",
      });
    case "no_verify_token":
    case "bad_verify_token":
    case "malformed_handshake":
      return proven({
        cause: "handshake",
        says:
          reason === "no_verify_token"
            ? "the request is a handshake, but the source has no handshake.verifyToken"
            : reason === "bad_verify_token"
              ? "the request is a handshake with another token than handshake.verifyToken of the source"
              : "the request is a handshake without a usable challenge",
        fix: "set handshake.verifyToken of the source to the token that is registered at the sender",
      });
    default:
      return null;
  }
}

function payloadFault(
  { scheme }: Trial["source"],
  message: Trial["message"],
): string {
  const { id, type } = variantFor(scheme, message).scheme;
  const places = [id.from, ...type.from].flatMap((place) =>
    place !== null && "pointer" in place ? [place.pointer] : [],
  );
  return places.length === 0 || !isJsonContainer(message.body)
    ? "the body is not a JSON object or array"
    : `the body has no usable id and type at ${places.join(" and ")}`;
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
