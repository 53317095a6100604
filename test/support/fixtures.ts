import { generateKeyPairSync } from "node:crypto";
import { createCheckpoints } from "../../src/audit/checkpoint.ts";
import { SCHEMES, type SchemeName } from "../../src/signature/scheme.ts";
import { signHeaders } from "../../src/signature/sign.ts";
import type { StoreUrl } from "../../src/store/url.ts";

export const SECRET = "test-signing-secret-0123456789abcdef";
/** What signs the checkpoints of trails that tests make themselves. */
export const SIGNING_KEY = generateKeyPairSync("ed25519").privateKey;
export const CHECKPOINTS = createCheckpoints(SIGNING_KEY);
/** What a record tells of the request that brought it, where a test has none. */
export const WEBHOOK_REQUEST = {
  requestId: "r-1",
  source: "hex",
  scheme: "hex",
  ip: "127.0.0.1",
  resource: "/webhooks/hex",
  keyId: "0123456789abcdef",
  skewSeconds: 0,
};
/** When they were made: a secret whose age nobody knows is overdue, and has an entry. */
export const TODAY = new Date().toISOString();
export const OTHER_SECRET = "another-signing-secret-0123456789ab";

/** An event body as a sender makes it. */
export function eventBody(id: string, type = "resource.created"): Buffer {
  return Buffer.from(JSON.stringify({ id, type, data: { n: 1 } }));
}

/** The headers of a genuine delivery. */
export function signed(
  body: Buffer,
  options: { secret?: string; at?: number; scheme?: SchemeName } = {},
): Record<string, string> {
  const { secret = SECRET, at = Date.now(), scheme = "hex" } = options;
  return {
    "content-type": "application/json",
    ...signHeaders(
      SCHEMES[scheme],
      Buffer.from(secret),
      body,
      Math.floor(at / 1000),
    ),
  };
}

/** Where a store in this file is. */
export function sqliteUrl(file: string): StoreUrl {
  return { driver: "sqlite", file };
}
