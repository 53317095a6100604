import { describe, expect, it } from "@jest/globals";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Scheme } from "../../../src/domain/scheme.ts";
import type { Source } from "../../../src/domain/source.ts";
import {
  customScheme,
  type CustomSettings,
} from "../../../src/signature/custom-scheme.ts";
import type { SignedMessage } from "../../../src/signature/message.ts";
import { SCHEMES } from "../../../src/signature/schemes.ts";
import { verify } from "../../../src/signature/verify.ts";
import { signingSecret, testSource } from "../../support/fixtures.ts";
import { judge } from "../../support/judge.ts";

/** A request that a sender or its library has published, with its origin. */
interface Vector {
  readonly scheme: string;
  readonly source_of_vector: string;
  readonly secret: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly body_base64?: string;
  /** The public URL, with its query. */
  readonly url?: string;
  readonly method?: string;
  /** The clock, in unix seconds. */
  readonly at?: number;
  readonly valid: boolean;
}

/** Senders without a scheme of their own, which the scheme `custom` can describe. */
const CUSTOM: Readonly<Record<string, CustomSettings>> = {
  custom: {
    signature: { header: "X-Coinify-Webhook-Signature", encoding: "hex" },
    algorithm: "sha256",
    signed: "{body}",
  },
  "adyen-platform": {
    signature: { header: "HmacSignature", encoding: "base64" },
    algorithm: "sha256",
    keyDecoding: "hex",
    signed: "{body}",
  },
};

function schemeNamed(name: string): Scheme | undefined {
  const settings = CUSTOM[name];
  if (settings === undefined) {
    return SCHEMES.get(name);
  }
  const scheme = customScheme(settings);
  if ("errors" in scheme) {
    throw new TypeError(JSON.stringify(scheme.errors));
  }
  return scheme;
}

function sourceOf(scheme: Scheme, { secret, url }: Vector): Source {
  const publicUrl = url?.replace(/\?.*$/s, "") ?? null;
  const secrets = [signingSecret(scheme, secret)];
  return testSource({ scheme, secrets, publicUrl });
}

function messageOf({
  headers,
  body = "",
  body_base64: base64,
  url = "",
  method = "POST",
}: Vector): SignedMessage {
  const query = url.indexOf("?");
  return {
    method,
    url: `/webhooks/x${query === -1 ? "" : url.slice(query)}`,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name.toLowerCase(),
        value,
      ]),
    ),
    body:
      base64 === undefined ? Buffer.from(body) : Buffer.from(base64, "base64"),
  };
}

const OWN = new URL("vectors.json", import.meta.url);
const SHARED = new URL("../../../../shared/vectors.json", import.meta.url);

const readVectors = (file: URL): Vector[] =>
  JSON.parse(readFileSync(file, "utf8")) as Vector[];

/** Without duplicates, and without schemes that are not in the table. */
const VECTORS = [
  ...new Map(
    [OWN, SHARED]
      .filter((file) => existsSync(fileURLToPath(file)))
      .flatMap(readVectors)
      .map((vector) => [JSON.stringify(vector), vector]),
  ).values(),
].flatMap((vector) => {
  const scheme = schemeNamed(vector.scheme);
  return scheme === undefined
    ? []
    : [{ vector, source: sourceOf(scheme, vector) }];
});

const NOW = 1_800_000_000;

describe("published requests", () => {
  it.each(
    VECTORS.map(({ vector, source }, n) => ({
      name: `${n} ${vector.scheme}, ${vector.source_of_vector}`,
      verdict: vector.valid ? "accepts" : "rejects",
      vector,
      source,
    })),
  )("$verdict $name", ({ vector, source }) => {
    const { valid, at = NOW } = vector;
    const verdict = judge(source, messageOf(vector), at * 1000);
    expect(verdict === "verified").toBe(valid);
  });

  it("are refused for another secret, another body and another public URL", () => {
    for (const { vector, source } of VECTORS.filter(
      (one) => one.vector.valid,
    )) {
      const message = messageOf(vector);
      const now = (vector.at ?? NOW) * 1000;
      const longer = {
        ...message,
        body: Buffer.concat([message.body, Buffer.from(" ")]),
      };
      const verdicts = [
        verify(withOtherKey(source), message, now).ok,
        verify(source, longer, now).ok,
        vector.url !== undefined &&
          verify(
            { ...source, publicUrl: `${source.publicUrl ?? ""}/x` },
            message,
            now,
          ).ok,
      ];
      expect([vector.scheme, ...verdicts]).toEqual([
        vector.scheme,
        false,
        false,
        false,
      ]);
    }
  });
});

const OTHER_KEYS = {
  ed25519: generateKeyPairSync("ed25519").publicKey,
  ec: generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey,
};

function withOtherKey(source: Source): Source {
  const secrets = source.secrets.map((secret) => ({
    ...secret,
    key: Buffer.concat([secret.key, Buffer.from("x")]),
    publicKey:
      secret.publicKey &&
      OTHER_KEYS[secret.algorithm === "ed25519" ? "ed25519" : "ec"],
  }));
  return { ...source, secrets };
}
