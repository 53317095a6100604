import { generateKeyPairSync, type KeyObject } from "node:crypto";
import type { Scheme } from "../../src/domain/scheme.ts";
import { SECRET } from "./fixtures.ts";

/** A secret that a scheme accepts, and the private key that belongs to a public one. */
export interface SchemeSecret {
  readonly text: string;
  readonly privateKey?: KeyObject;
}

const secrets = new Map<string, SchemeSecret>();

/** Returns a secret of the scheme. Each scheme has another one. */
export function secretFor(scheme: Scheme): SchemeSecret {
  const secret = secrets.get(scheme.name) ?? createSecret(scheme);
  secrets.set(scheme.name, secret);
  return secret;
}

function createSecret({ name, secret: { format } }: Scheme): SchemeSecret {
  const text = `${name}-${SECRET}`;
  switch (format) {
    case "text":
      return { text };
    case "hex":
      return { text: Buffer.from(text).toString("hex") };
    case "base64":
      return { text: Buffer.from(text).toString("base64") };
    case "whsec":
      return { text: `whsec_${Buffer.from(text).toString("base64")}` };
    case "ed25519-hex":
    case "ed25519-base64": {
      const { publicKey, privateKey } = generateKeyPairSync("ed25519");
      const raw = spkiOf(publicKey).subarray(-32);
      const encoding = format === "ed25519-hex" ? "hex" : "base64";
      return { text: raw.toString(encoding), privateKey };
    }
    case "spki": {
      const { publicKey, privateKey } = generateKeyPairSync("ec", {
        namedCurve: "P-256",
      });
      return { text: spkiOf(publicKey).toString("base64"), privateKey };
    }
  }
}

function spkiOf(key: KeyObject): Buffer {
  return key.export({ format: "der", type: "spki" });
}
