import { asError, errorCode, StoreError } from "../../errors.ts";

/** A StoreError as plain data. A message between threads does not keep the class. */
export interface SerializedError {
  readonly message: string;
  readonly code: string;
  readonly fatal: boolean;
}

export function serializeError(thrown: unknown): SerializedError {
  if (thrown instanceof StoreError) {
    const { message, code, fatal } = thrown;
    return { message, code, fatal };
  }
  const code = errorCode(thrown) ?? "STORE_PROGRAM_FAULT";
  return { message: asError(thrown).message, code, fatal: false };
}

export function deserializeError(error: SerializedError): StoreError {
  return new StoreError(error.message, error);
}
