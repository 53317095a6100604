import { databaseSafe } from "./check-database.ts";
import { environmentsSeparate, envFilesIgnored } from "./check-env-files.ts";
import { exposedKeys } from "./check-exposed-keys.ts";
import { keyAge, keysInEnvironment, scopesMinimal } from "./check-keys.ts";
import type { CheckResult } from "./check-result.ts";
import { auditLogging, signaturesValidated } from "./check-service.ts";
import type { DoctorDeps } from "./doctor-deps.ts";
import { gitStateOf } from "./git-state.ts";

/** Runs the security checklist. No result contains a key. */
export async function runChecklist(deps: DoctorDeps): Promise<CheckResult[]> {
  const git = await gitStateOf(deps);
  return [
    await keysInEnvironment(deps),
    await envFilesIgnored(git),
    await environmentsSeparate(deps, git),
    await scopesMinimal(deps),
    await signaturesValidated(deps),
    await databaseSafe(deps),
    await auditLogging(deps),
    await keyAge(deps),
    await exposedKeys(deps, git),
  ];
}
