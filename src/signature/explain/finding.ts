import type { Source } from "../../domain/source.ts";
import type { SignedMessage } from "../message.ts";
import type { Cause } from "./causes.ts";

/** What is wrong with a message, and how to fix it. Neither text contains a secret or an expected signature. */
export interface Finding {
  readonly cause: Cause;
  /** Whether the signature is valid once this is undone. Otherwise it is only likely. */
  readonly isProven: boolean;
  /** What is wrong, in a sentence without a full stop. */
  readonly says: string;
  readonly fix: string;
}

export function proven(finding: Omit<Finding, "isProven">): Finding {
  return { ...finding, isProven: true };
}

export function likely(finding: Omit<Finding, "isProven">): Finding {
  return { ...finding, isProven: false };
}

/** A message with the source that should accept it. */
export interface Trial {
  readonly source: Source;
  readonly message: SignedMessage;
}

/** A trial in which one thing is undone, and what that means if its signature is valid. */
export interface Candidate extends Trial {
  readonly finding: Omit<Finding, "isProven">;
}

/** What is known besides the message. */
export interface Context {
  /** All configured sources. */
  readonly sources: readonly Source[];
  /** The URL that the sender calls, as the operator gives it; null = not given. */
  readonly url: string | null;
  /** Unix milliseconds. */
  readonly now: number;
}

/** One kind of change to undo. It yields the most common changes first. */
export interface Change {
  /**
   * `form`: it changes how the signature is written or computed, so it can help whatever the reason. `content`: it changes what
   * is signed or the key, so it can only help a signature that was compared.
   */
  readonly kind: "form" | "content";
  readonly candidates: (trial: Trial, context: Context) => Iterable<Candidate>;
}
