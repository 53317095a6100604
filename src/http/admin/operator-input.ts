import { z } from "zod";
import { isOperatorName } from "../../domain/operator-name.ts";

/** Who asks, for the audit trail: the token alone does not tell. */
export const operatorName = z
  .string()
  .refine(isOperatorName, "must be 1 to 64 letters, digits or . _ - @ + :")
  .default("api");

/** The body of a request that needs nothing else. */
export const operatorInput = z.strictObject({ as: operatorName });
