import { generateKeyPairSync } from "node:crypto";
import { createCheckpoints } from "../../src/audit/checkpoint.ts";
import type { Scheme } from "../../src/domain/scheme.ts";
import type { SigningSecret, Source } from "../../src/domain/source.ts";
import { keyIdOf } from "../../src/domain/key-id.ts";
import { readKey } from "../../src/signature/keys.ts";
import { schemeOf } from "../../src/signature/schemes.ts";
import { signRequest } from "../../src/signature/sign.ts";
import type { SqliteUrl } from "../../src/store/url.ts";

export const SECRET = "test-signing-secret-0123456789abcdef";
/** The key that signs the checkpoints of trails that tests create. */
export const SIGNING_KEY = generateKeyPairSync("ed25519").privateKey;
export const CHECKPOINTS = createCheckpoints(SIGNING_KEY);
/** The facts about the request in a record, for tests without a request. */
export const WEBHOOK_REQUEST = {
  requestId: "r-1",
  source: "hex",
  scheme: "hex",
  ip: "127.0.0.1",
  resource: "/webhooks/hex",
  keyId: "0123456789abcdef",
  skewSeconds: 0,
};
/** When the secrets were created. A secret of unknown age would be overdue, with an audit entry. */
export const TODAY = new Date().toISOString();
export const OTHER_SECRET = "another-signing-secret-0123456789ab";

/** Returns an event body as a sender creates it. */
export function eventBody(id: string, type = "resource.created"): Buffer {
  return Buffer.from(JSON.stringify({ id, type, data: { n: 1 } }));
}

/** Returns the headers of a genuine delivery. */
export function signed(
  body: Buffer,
  options: { secret?: string; at?: number; scheme?: string } = {},
): Readonly<Record<string, string>> {
  const { secret = SECRET, at = Date.now(), scheme: name = "hex" } = options;
  const scheme = schemeOf(name);
  const secrets = [signingSecret(scheme, secret)];
  const { headers } = signRequest(
    { scheme, secrets, publicUrl: null },
    {
      body,
      contentType: "application/json",
      id: null,
      type: null,
      at,
      url: "",
    },
  );
  return headers;
}

/** Returns a source as the configuration creates it. */
export function testSource(settings: Partial<Source> = {}): Source {
  const scheme = settings.scheme ?? schemeOf("hex");
  return {
    name: scheme.name,
    scheme,
    secrets: settings.secrets ?? [signingSecret(scheme, SECRET)],
    onReplay: scheme.onReplay,
    replayWindowSeconds: scheme.timestamp?.windowSeconds ?? 300,
    publicUrl: null,
    allowFrom: null,
    maxBodyBytes: 1_048_576,
    mediaTypes: null,
    isDisabled: false,
    verifyToken: null,
    sharesSecretWith: [],
    ...settings,
  };
}

/** Returns a secret as the configuration reads it. */
export function signingSecret(scheme: Scheme, text: string): SigningSecret {
  const key = readKey(scheme, text);
  if ("error" in key) {
    throw new TypeError(key.error);
  }
  return {
    name: "TEST_SECRET",
    keyId: keyIdOf(text),
    text,
    ...key,
    createdAt: null,
    expiresAt: null,
  };
}

/** Returns the location of the store in a file. */
export function sqliteUrl(file: string): SqliteUrl {
  return { driver: "sqlite", file };
}
