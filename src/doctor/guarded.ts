import { ConfigError } from "../errors.ts";
import type { CheckName, CheckResult } from "./check-result.ts";

const MEND =
  "correct what is named; `hexhook secrets generate` makes a signing secret, .env.example lists the variables";

/** The result of a check that fails with the errors of the configuration when it needs what is wrong there. */
export async function guarded(
  check: CheckName,
  judge: () => Promise<CheckResult> | CheckResult,
): Promise<CheckResult> {
  try {
    return await judge();
  } catch (thrown) {
    if (thrown instanceof ConfigError) {
      return { check, status: "fail", details: thrown.errors, hint: MEND };
    }
    throw thrown;
  }
}
