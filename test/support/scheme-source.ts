import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import type { Scheme } from "../../src/domain/scheme.ts";
import type { Source } from "../../src/domain/source.ts";
import { signingSecret, testSource } from "./fixtures.ts";

/** A source with a random secret, and the private key of a scheme whose secret is a public key. */
export interface SchemeSource {
  readonly source: Source;
  readonly privateKey: KeyObject | undefined;
}

export const PUBLIC_URL = "https://hooks.example.com/webhooks/x";

/** Creates a source of a scheme. `publicUrl` is PUBLIC_URL. */
export function schemeSource(scheme: Scheme): SchemeSource {
  const { text, privateKey } = secretOf(scheme);
  const secrets = [signingSecret(scheme, text)];
  return {
    source: testSource({ scheme, secrets, publicUrl: PUBLIC_URL }),
    privateKey,
  };
}

function secretOf({ secret: { format } }: Scheme): {
  text: string;
  privateKey?: KeyObject;
} {
  switch (format) {
    case "text":
    case "hex":
      return { text: randomBytes(16).toString("hex") };
    case "base64":
      return { text: randomBytes(32).toString("base64") };
    case "whsec":
      return { text: `whsec_${randomBytes(32).toString("base64")}` };
    case "ed25519-hex":
    case "ed25519-base64": {
      const { publicKey, privateKey } = generateKeyPairSync("ed25519");
      const encoding = format === "ed25519-hex" ? "hex" : "base64";
      const bytes = publicKey
        .export({ format: "der", type: "spki" })
        .subarray(-32);
      return { text: bytes.toString(encoding), privateKey };
    }
    case "spki": {
      const { publicKey, privateKey } = generateKeyPairSync("ec", {
        namedCurve: "P-256",
      });
      const der = publicKey.export({ format: "der", type: "spki" });
      return { text: der.toString("base64"), privateKey };
    }
  }
}
