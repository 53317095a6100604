import { howToDate, judgeKeyAge } from "../domain/key-age.ts";
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
        details: ["no Hex API key is configured"],
        hint: "",
      };
    }
    const shared = readKey?.value === writeKey?.value;
    return {
      check,
      status: shared ? "warn" : "pass",
      details,
      hint: shared
        ? "set HEX_READ_KEY and HEX_WRITE_KEY to separate keys, so that reading does not need write access"
        : "",
    };
  });
}

export function scopesMinimal({ hexApi }: DoctorDeps): Promise<CheckResult> {
  const check = "scopes_minimal";
  const hint =
    "list the scopes of the keys in HEX_SCOPES. Remove unused scopes in the Hex dashboard; `hexhook audit scopes` lists them";
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

/** Verdicts on the age of a signing secret, the worst first. */
const AGES = ["unknown", "overdue", "due", "fresh"] as const;

export function keyAge({ sources, now }: DoctorDeps): Promise<CheckResult> {
  const check = "key_age";
  return guarded(check, () => {
    // A public key is not a secret, so it has no age limit.
    const ages = sources()
      .filter(({ secrets: [current] }) => current?.publicKey === null)
      .map(({ name, secrets: [current] }) => ({
        secret: nameOf(name, current?.name ?? ""),
        howToDate: howToDate(current?.name ?? ""),
        ...judgeKeyAge(current?.createdAt ?? null, now()),
      }));
    const worst = AGES.find((age) => ages.some((one) => one.verdict === age));
    const worstAges = ages.filter(({ verdict }) => verdict === worst);
    const details = worstAges.map(({ secret, days, verdict }) =>
      ageText(secret, days ?? 0, verdict),
    );
    switch (worst) {
      case "unknown":
        return {
          check,
          status: "fail",
          details,
          hint: [...new Set(worstAges.map((age) => age.howToDate))].join("; "),
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

/** Names in the file are unique only in their source. */
function nameOf(source: string, secret: string): string {
  return secret.startsWith("secrets[")
    ? `${secret} of source ${source}`
    : secret;
}

const ROTATE =
  "make a new secret with `hexhook secrets generate` and set HEX_SECRET_CREATED_AT. Keep the old one in HEX_SECRET_PREVIOUS until all senders use the new one. In the configuration file, put the new one first in secrets";

function ageText(
  secret: string,
  days: number,
  verdict: (typeof AGES)[number],
): string {
  switch (verdict) {
    case "unknown":
      return `${secret}: the creation date is missing or in the future`;
    case "due":
      return `${secret}: ${days} days old; rotation is overdue after 90`;
    case "overdue":
    case "fresh":
      return `${secret}: ${days} days old`;
  }
}
