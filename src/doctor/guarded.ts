import { ConfigError } from "../errors.ts";
import { type CheckName, type CheckResult } from "./check-result.ts";

/** The result of a check that fails with the faults of the configuration when it needs what is wrong there. */
export async function guarded(
  check: CheckName,
  hint: string,
  judge: () => Promise<CheckResult> | CheckResult,
): Promise<CheckResult> {
  try {
    return await judge();
  } catch (thrown) {
    if (thrown instanceof ConfigError) {
      return { check, status: "fail", details: thrown.faults, hint };
    }
    throw thrown;
  }
}
