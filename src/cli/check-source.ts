import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import type { Scheme } from "../domain/scheme.ts";
import type { SigningSecret, Source } from "../domain/source.ts";
import { type SignedRequest, signRequest } from "../signature/sign.ts";
import { verify } from "../signature/verify.ts";

/** A secret, and the private key of a public one. */
interface SigningKey {
  readonly secret: SigningSecret;
  readonly privateKey?: KeyObject;
}

/**
 * Returns whether a message signed with each current secret is accepted, but not a changed one, and not one of another key. A
 * public key cannot sign, so a new pair of keys takes its place.
 */
export function verifiesOwnMessages(source: Source): boolean {
  const now = Date.now();
  const body = Buffer.from(
    JSON.stringify({ check: randomBytes(32).toString("hex") }),
  );
  return source.secrets
    .filter(({ expiresAt }) => expiresAt === null || now < expiresAt)
    .every((secret) => {
      const own = secret.publicKey === null ? { secret } : newKeyFor(secret);
      const receiver = { ...source, secrets: [own.secret] };
      const signedBy = (key: SigningKey): SignedRequest =>
        signRequest(
          { ...source, secrets: [key.secret] },
          {
            body,
            contentType: "application/json",
            id: null,
            type: null,
            at: now,
            url: `/webhooks/${source.name}`,
            privateKey: key.privateKey,
          },
        );
      const accepts = ({ url, headers, body: sent }: SignedRequest): boolean =>
        verify(receiver, { method: "POST", url, headers, body: sent }, now).ok;
      const genuine = signedBy(own);
      const changed = {
        ...genuine,
        body: Buffer.concat([genuine.body, Buffer.from(" ")]),
      };
      return (
        accepts(genuine) &&
        !(signsBody(source.scheme) && accepts(changed)) &&
        !accepts(signedBy(newKeyFor(secret)))
      );
    });
}

function signsBody({ algorithm, signed }: Scheme): boolean {
  return (
    algorithm !== "token" &&
    (typeof signed !== "string" || signed.includes("{body}"))
  );
}

/** Returns a new key of the same kind. */
function newKeyFor(secret: SigningSecret): SigningKey {
  if (secret.publicKey === null) {
    const key = Buffer.from(randomBytes(32).toString("hex"));
    return { secret: { ...secret, key } };
  }
  const { publicKey, privateKey } =
    secret.algorithm === "ed25519"
      ? generateKeyPairSync("ed25519")
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { secret: { ...secret, publicKey }, privateKey };
}
