import { randomBytes, randomInt, randomUUID } from "node:crypto";

/** What differs between two deliveries of the same kind. */
export interface SampleFacts {
  readonly id: string;
  readonly type: string;
  readonly at: Date;
}

/** A realistic message of a sender. All people, shops and values in it are invented. */
export interface Sample {
  /** The event type, unless the user chooses another one. */
  readonly type: string;
  /** Makes an event id in the sender's format. Ignored if the sender has no ids. */
  readonly newId: () => string;
  /** The content of the body. Two bodies are never equal, as otherwise the second one would be a duplicate. */
  readonly content:
    | { readonly json: (facts: SampleFacts) => unknown }
    | {
        readonly form: (facts: SampleFacts) => Readonly<Record<string, string>>;
      };
}

/** Returns random hex digits; `count` is even. */
export const hex = (count: number): string =>
  randomBytes(count / 2).toString("hex");

/** Returns a random number with this many digits. */
export const number = (digits: number): number =>
  randomInt(10 ** (digits - 1), 10 ** digits);

/** Returns unix seconds. */
export const seconds = (at: Date): number => Math.floor(at.getTime() / 1000);

export const uuid = (): string => randomUUID();
