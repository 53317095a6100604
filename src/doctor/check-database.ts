import { StoreError } from "../errors.ts";
import type { CheckResult } from "./check-result.ts";
import type { DoctorDeps } from "./doctor-deps.ts";
import { guarded } from "./guarded.ts";

const FAILOVER =
  "no standby has to confirm a commit (synchronous_standby_names is empty): a failover may lose acknowledged events";

/** Whether the database server keeps what it has acknowledged, and whether the connection to it is safe. */
export function databaseSafe({ database }: DoctorDeps): Promise<CheckResult> {
  const check = "database";
  return guarded(check, async () => {
    try {
      const found = await database();
      if (found === null) {
        const details = ["the store is a SQLite file"];
        return { check, status: "skip", details, hint: "" };
      }
      const warnings = [
        ...(found.waitsForStandby ? [] : [FAILOVER]),
        ...(found.protection === "none"
          ? [`the connection to ${found.name} is not encrypted`]
          : []),
        ...(found.protection === "unchecked"
          ? [`the connection to ${found.name} accepts any certificate`]
          : []),
      ];
      return {
        check,
        status: warnings.length === 0 ? "pass" : "warn",
        details: [
          `${found.name} has all features and safe settings`,
          ...warnings,
        ],
        hint: "name a standby in synchronous_standby_names if the database has one, and set sslmode=verify-full in DATABASE_URL",
      };
    } catch (error) {
      if (error instanceof StoreError) {
        const hint = "correct the database server, or DATABASE_URL";
        return { check, status: "fail", details: [error.message], hint };
      }
      throw error;
    }
  });
}
