import type { CheckResult } from "./check-result.ts";
import type { DoctorDeps } from "./doctor-deps.ts";
import { guarded } from "./guarded.ts";

export function signaturesValidated(deps: DoctorDeps): Promise<CheckResult> {
  const check = "signatures_validated";
  return guarded(check, () => {
    const sources = deps.sources();
    deps.wholeConfig();
    const broken = sources.filter((source) => !deps.verifies(source));
    const lines = (listed: typeof sources, text: string): string[] =>
      listed.map(
        ({ name, scheme }) => `source ${name}, scheme ${scheme.name}: ${text}`,
      );
    return broken.length === 0
      ? {
          check,
          status: "pass",
          details: lines(
            sources,
            "a signed message is accepted, a forged one rejected",
          ),
          hint: "",
        }
      : {
          check,
          status: "fail",
          details: lines(
            broken,
            "a forged message is accepted, or a signed one rejected",
          ),
          hint: "do not use this build, and report the problem to the project",
        };
  });
}

export function auditLogging({
  auditSinks,
  trail,
}: DoctorDeps): Promise<CheckResult> {
  const check = "audit_logging";
  const hint =
    "unset AUDIT_STDOUT or set AUDIT_FILE, so that the trail is also kept outside the store";
  return guarded(check, async () => {
    const sinks = auditSinks();
    const verdict = await trail();
    const off =
      sinks.length === 0
        ? [
            "the trail is written only to the store: AUDIT_STDOUT is off, and neither AUDIT_FILE nor analytics is configured",
          ]
        : [];
    const broken = verdict?.faults ?? [];
    if (off.length + broken.length > 0) {
      return {
        check,
        status: "fail",
        details: [...off, ...broken],
        hint:
          broken.length > 0
            ? "the trail was tampered with, or the store is corrupt. Keep a copy of it, and run `hexhook audit verify` on it and on the output of the sinks"
            : hint,
      };
    }
    const details = [`written to ${sinks.join(", ")}`];
    if (verdict === null) {
      details.push("there is no store to verify yet");
      return { check, status: "pass", details, hint: "" };
    }
    return verdict.intact
      ? {
          check,
          status: "pass",
          details: [...details, "the trail in the store is intact"],
          hint: "",
        }
      : {
          check,
          status: "warn",
          details: [...details, ...verdict.doubts],
          hint: "run `hexhook audit verify` for details",
        };
  });
}
