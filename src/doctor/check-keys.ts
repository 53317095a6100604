import { judgeKeyAge } from "../domain/key-age.ts";
import { scopeErrors } from "../hex-api/scopes.ts";
import type { CheckResult } from "./check-result.ts";
import type { DoctorDeps } from "./doctor-deps.ts";
import { guarded } from "./guarded.ts";

export function keysInEnvironment({
  hexApi,
}: DoctorDeps): Promise<CheckResult> {
  const check = "keys_in_environment";
  return guarded(check, () => {
    const { keys, readKey, writeKey } = hexApi();
    const details = keys.map(({ variable, keyId }) => `${variable} ${keyId}`);
    if (keys.length === 0) {
      return {
        check,
        status: "pass",
        details: ["no key of the Hex API is configured"],
        hint: "",
      };
    }
    const shared = readKey?.value === writeKey?.value;
    return {
      check,
      status: shared ? "warn" : "pass",
      details,
      hint: shared
        ? "a reader has no need to write: set HEX_READ_KEY and HEX_WRITE_KEY, a key each"
        : "",
    };
  });
}

export function scopesMinimal({ hexApi }: DoctorDeps): Promise<CheckResult> {
  const check = "scopes_minimal";
  const hint =
    "list in HEX_SCOPES what the keys may do, and take from them in the Hex dashboard what is not needed (`hexhook audit scopes` tells)";
  return guarded(check, () => {
    const config = hexApi();
    const errors = scopeErrors(config);
    return errors.length > 0
      ? { check, status: "fail", details: errors, hint }
      : {
          check,
          status: "pass",
          details: [
            `${config.environment}: ${(config.granted ?? []).join(", ")}`,
          ],
          hint: "",
        };
  });
}

/** What to report of a signing secret's age, the worst first. */
const AGES = ["unknown", "overdue", "due", "fresh"] as const;

export function keyAge({ sources, now }: DoctorDeps): Promise<CheckResult> {
  const check = "key_age";
  return guarded(check, () => {
    const ages = sources().map(({ name, secrets: [current] }) => ({
      secret: current?.name ?? name,
      ...judgeKeyAge(current?.createdAt ?? null, now()),
    }));
    const worst = AGES.find((age) => ages.some((one) => one.verdict === age));
    const details = ages
      .filter(({ verdict }) => verdict === worst)
      .map(({ secret, days, verdict }) => ageText(secret, days ?? 0, verdict));
    switch (worst) {
      case "unknown":
        return {
          check,
          status: "fail",
          details,
          hint: "set HEX_SECRET_CREATED_AT, or createdAt in the file",
        };
      case "overdue":
        return { check, status: "fail", details, hint: ROTATE };
      case "due":
        return { check, status: "warn", details, hint: ROTATE };
      case "fresh":
      case undefined:
        return { check, status: "pass", details, hint: "" };
    }
  });
}

const ROTATE =
  "make a new one (`hexhook secrets generate`), keep the old one as HEX_SECRET_PREVIOUS until senders have changed, and set HEX_SECRET_CREATED_AT";

function ageText(
  secret: string,
  days: number,
  verdict: (typeof AGES)[number],
): string {
  switch (verdict) {
    case "unknown":
      return `${secret}: it has no creation date, or one in the future`;
    case "due":
      return `${secret}: ${days} days old; overdue from 90`;
    case "overdue":
    case "fresh":
      return `${secret}: ${days} days old`;
  }
}
