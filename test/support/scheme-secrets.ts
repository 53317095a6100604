import { generateKeyPairSync, type KeyObject } from "node:crypto";
import type { Scheme } from "../../src/domain/scheme.ts";
import { SECRET } from "./fixtures.ts";

const ED25519 = generateKeyPairSync("ed25519");
const P256 = generateKeyPairSync("ec", { namedCurve: "P-256" });

/** A secret that a scheme accepts, and the private key that belongs to a public one. */
export interface SchemeSecret {
  readonly text: string;
  readonly privateKey?: KeyObject;
}

export function secretFor({ secret: { format } }: Scheme): SchemeSecret {
  const rawEd25519 = ED25519.publicKey
    .export({ format: "der", type: "spki" })
    .subarray(-32);
  switch (format) {
    case "text":
      return { text: SECRET };
    case "hex":
      return { text: Buffer.from(SECRET).toString("hex") };
    case "base64":
      return { text: Buffer.from(SECRET).toString("base64") };
    case "whsec":
      return { text: `whsec_${Buffer.from(SECRET).toString("base64")}` };
    case "ed25519-hex":
    case "ed25519-base64":
      return {
        text: rawEd25519.toString(format === "ed25519-hex" ? "hex" : "base64"),
        privateKey: ED25519.privateKey,
      };
    case "spki":
      return {
        text: P256.publicKey
          .export({ format: "der", type: "spki" })
          .toString("base64"),
        privateKey: P256.privateKey,
      };
  }
}
