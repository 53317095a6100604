import type { Source } from "../domain/source.ts";
import type { PublishedSource } from "../store/records.ts";

/** Copies only what may be shown: a secret's text and key must not be published. */
export function publishedSource(source: Source): PublishedSource {
  return {
    name: source.name,
    scheme: source.scheme.name,
    isDisabled: source.isDisabled,
    secrets: source.secrets.map(
      ({ name, keyId, publicKey, createdAt, expiresAt }) => ({
        name,
        keyId,
        isPublic: publicKey !== null,
        createdAt,
        expiresAt,
      }),
    ),
  };
}
