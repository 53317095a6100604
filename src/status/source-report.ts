import { judgeKeyAge, type KeyAge } from "../domain/key-age.ts";
import type {
  KeyUse,
  PublishedSecret,
  PublishedSource,
} from "../store/records.ts";

/** A signing secret as an operator sees it, without its value. Times are unix milliseconds. */
export interface SecretReport {
  /** Where it is configured, such as `HEX_SECRET`. */
  readonly name: string;
  readonly keyId: string;
  /** `current` is what senders should sign with; `previous` is accepted until it expires. */
  readonly role: "current" | "previous";
  readonly createdAt: number | null;
  readonly ageDays: number | null;
  /** Null for a secret without an age limit: a previous one expires, and a public key is not a secret. */
  readonly age: KeyAge["verdict"] | null;
  readonly expiresAt: number | null;
  readonly isExpired: boolean;
  /** Null: never, as far as the store knows. */
  readonly lastUsedAt: number | null;
}

/** A source as an operator sees it. Times are unix milliseconds. */
export interface SourceReport {
  readonly name: string;
  readonly scheme: string;
  readonly isDisabled: boolean;
  /** When a message of the source was last verified; null = never. */
  readonly lastUsedAt: number | null;
  readonly secrets: readonly SecretReport[];
}

/** Adds the age and the last use of each secret. */
export function reportSource(
  { name, scheme, isDisabled, secrets }: PublishedSource,
  uses: readonly KeyUse[],
  now: number,
): SourceReport {
  const own = uses.filter(({ source }) => source === name);
  const lastOf = (among: readonly KeyUse[]): number | null =>
    among.reduce<number | null>(
      (last, { at }) => Math.max(last ?? at, at),
      null,
    );
  return {
    name,
    scheme,
    isDisabled,
    lastUsedAt: lastOf(own),
    secrets: secrets.map((secret, index) => ({
      ...reportSecret(secret, { isCurrent: index === 0, now }),
      lastUsedAt: lastOf(own.filter(({ keyId }) => keyId === secret.keyId)),
    })),
  };
}

/** Judges the age of a secret. */
function reportSecret(
  { name, keyId, isPublic, createdAt, expiresAt }: PublishedSecret,
  { isCurrent, now }: { isCurrent: boolean; now: number },
): Omit<SecretReport, "lastUsedAt"> {
  const { days, verdict } = judgeKeyAge(createdAt, now);
  return {
    name,
    keyId,
    role: isCurrent ? "current" : "previous",
    createdAt,
    ageDays: days,
    age: isCurrent && !isPublic ? verdict : null,
    expiresAt,
    isExpired: expiresAt !== null && now >= expiresAt,
  };
}
