import type { Cause } from "./causes.ts";

/** A body that the sender may have signed instead of the received one. */
export interface EarlierBody {
  readonly cause: Cause;
  readonly body: Buffer;
  readonly says: string;
  readonly fix: string;
}
