import { keyIdOf } from "../domain/key-id.ts";
import type { Scheme } from "../domain/scheme.ts";
import type { SigningSecret } from "../domain/source.ts";
import { ConfigError } from "../errors.ts";
import { readKey } from "../signature/keys.ts";
import { formsOf } from "./secret-forms.ts";
import { signingSecretWarning } from "./signing-secret.ts";

/** A secret from the environment or the file. Times are Unix milliseconds. */
export interface ConfiguredSecret {
  readonly text: string;
  readonly createdAt: number | null;
  readonly expiresAt: number | null;
  /** Formats a message about its place. */
  readonly at: (message: string) => string;
  /** Its short name. */
  readonly name: string;
  /** What to do so that it expires. */
  readonly howToExpire: string;
}

/**
 * Returns the secrets of a source. Adds duplicates to `errors`, and weak secrets and those that are accepted indefinitely to
 * `warnings`. Throws ConfigError if the scheme cannot use a secret.
 */
export function signingSecrets(
  scheme: Scheme,
  configured: readonly ConfiguredSecret[],
  errors: string[],
  warnings: string[],
): readonly SigningSecret[] {
  const forms = new Map<string, string>();
  const secrets = configured.map((one, index): SigningSecret => {
    const key = readKey(scheme, one.text);
    if ("error" in key) {
      throw new ConfigError([one.at(key.error)]);
    }
    const own = [...formsOf({ text: one.text, ...key })];
    const same = own.map((form) => forms.get(form)).find(Boolean);
    if (same !== undefined) {
      errors.push(one.at(`is the same as ${same}; use a new secret`));
    }
    for (const form of own) {
      forms.set(form, forms.get(form) ?? one.name);
    }
    const weak = signingSecretWarning(scheme, key);
    if (weak !== null) {
      warnings.push(one.at(weak));
    }
    if (index > 0 && one.expiresAt === null) {
      warnings.push(one.at(`is accepted indefinitely; ${one.howToExpire}`));
    }
    const { name, text, createdAt, expiresAt } = one;
    return Object.freeze({
      name,
      keyId: keyIdOf(text),
      text,
      ...key,
      createdAt,
      expiresAt,
    });
  });
  return Object.freeze(secrets);
}
