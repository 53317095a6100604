import type { RecordOutcome } from "../../domain/event.ts";
import { asError, errorCode, StoreError } from "../../errors.ts";
import type { Commit } from "../port.ts";
import type { PackedRecords } from "./packed-records.ts";

/* What a thread of the store and the thread that uses it say to each other. A message has all of one turn. */

/** A call of a method by its name. */
export interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

export interface Request {
  /** The time of the caller's clock, for the whole message. Unix milliseconds. */
  readonly now: number;
  readonly records: PackedRecords | null;
  readonly calls: readonly Call[];
}

export interface Response {
  readonly commits: readonly Commit[];
  /** Ids of records, each followed by its outcome. */
  readonly outcomes: readonly (number | RecordOutcome)[];
  readonly results: readonly { readonly id: number; readonly value: unknown }[];
  readonly failures: readonly {
    readonly id: number;
    readonly error: SentError;
  }[];
  /** Set when the store cannot be trusted any more. */
  readonly fatal: SentError | null;
}

/** A StoreError without its class, which a message does not keep. */
interface SentError {
  readonly message: string;
  readonly code: string;
  readonly fatal: boolean;
}

export function sendable(thrown: unknown): SentError {
  if (thrown instanceof StoreError) {
    const { message, code, fatal } = thrown;
    return { message, code, fatal };
  }
  const code = errorCode(thrown) ?? "STORE_PROGRAM_FAULT";
  return { message: asError(thrown).message, code, fatal: false };
}

export function received(error: SentError): StoreError {
  return new StoreError(error.message, error);
}
