import { ConfigError } from "../errors.ts";
import type { CheckName, CheckResult } from "./check-result.ts";

const HINT =
  "correct the configuration. `hexhook secrets generate` makes a signing secret, and .env.example lists the variables";

/** Runs a check. If it throws ConfigError, the check fails with the errors of the configuration. */
export async function guarded(
  check: CheckName,
  judge: () => Promise<CheckResult> | CheckResult,
): Promise<CheckResult> {
  try {
    return await judge();
  } catch (thrown) {
    if (thrown instanceof ConfigError) {
      return { check, status: "fail", details: thrown.errors, hint: HINT };
    }
    throw thrown;
  }
}
