import { z } from "zod";
import { isOperatorName } from "../../domain/operator-name.ts";

/** The name of the operator, for the audit trail. All operators share one token, so they give their names. */
export const operatorName = z
  .string()
  .refine(isOperatorName, "must be 1 to 64 letters, digits or . _ - @ + :")
  .default("api");

/** The body or query of a request that takes only the name of the operator. */
export const operatorInput = z.strictObject({ as: operatorName });
