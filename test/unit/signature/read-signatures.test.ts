import { describe, expect, it } from "@jest/globals";
import { variantFor } from "../../../src/signature/compiled-scheme.ts";
import type { SignedMessage } from "../../../src/signature/message.ts";
import { schemeOf } from "../../../src/signature/schemes.ts";
import { verify } from "../../../src/signature/verify.ts";
import { signRequest } from "../../../src/signature/sign.ts";
import { schemeSource } from "../../support/scheme-source.ts";

const HEX = "ab".repeat(32);
const BASE64 = Buffer.from(HEX, "hex").toString("base64");

/** Returns how many signatures a message carries, or why none is read. */
function read(
  scheme: string,
  headers: SignedMessage["headers"],
  body = "{}",
): number | string {
  const message = {
    method: "POST",
    url: "/",
    headers,
    body: Buffer.from(body),
  };
  const found = variantFor(schemeOf(scheme), message).readSignatures(message);
  return typeof found === "string" ? found : found.offered.length;
}

const repeated = (text: string, count: number, separator: string): string =>
  Array(count).fill(text).join(separator);

describe("the signatures of a request", () => {
  it("are 16 at most in one header, and one in each of several", () => {
    const stripe = (count: number): number | string =>
      read("stripe", {
        "stripe-signature": `t=1,${repeated(`v1=${HEX}`, count, ",")}`,
      });
    const standard = (count: number): number | string =>
      read("standard-webhooks", {
        "webhook-signature": repeated(`v1,${BASE64}`, count, " "),
      });
    const docusign = (count: number): number | string =>
      read(
        "docusign",
        Object.fromEntries(
          Array.from({ length: count }, (_, n) => [
            `x-docusign-signature-${n + 1}`,
            BASE64,
          ]),
        ),
      );
    for (const count of [stripe, standard]) {
      expect([count(16), count(17)]).toEqual([16, "too_many_signatures"]);
    }
    expect([docusign(1), docusign(100), docusign(101)]).toEqual([1, 100, 100]);
  });

  it.each<[string, string, SignedMessage["headers"], number | string]>([
    ["no header", "github", {}, "missing_signature"],
    [
      "an empty header",
      "github",
      { "x-hub-signature-256": "" },
      "missing_signature",
    ],
    [
      "a list of values",
      "github",
      { "x-hub-signature-256": [HEX, HEX] },
      "missing_signature",
    ],
    [
      "no prefix",
      "github",
      { "x-hub-signature-256": HEX },
      "malformed_signature",
    ],
    [
      "two timestamps",
      "stripe",
      { "stripe-signature": `t=1,t=1,v1=${HEX}` },
      "malformed_signature",
    ],
    [
      "two other keys",
      "stripe",
      { "stripe-signature": `v0=1,v0=2,t=1,v1=${HEX}` },
      1,
    ],
    [
      "spaces around pairs",
      "workos",
      { "workos-signature": ` t = 1 ,\tv1 = ${HEX} ` },
      1,
    ],
    [
      "a no-break space",
      "workos",
      { "workos-signature": `t=1,v1=\u00a0${HEX}` },
      "malformed_signature",
    ],
    [
      "no equals sign",
      "stripe",
      { "stripe-signature": `t=1,v1=${HEX},` },
      "malformed_signature",
    ],
    [
      "one that is malformed",
      "stripe",
      { "stripe-signature": `t=1,v1=zz,v1=${HEX}` },
      1,
    ],
    [
      "other versions only",
      "standard-webhooks",
      { "webhook-signature": `v2,${BASE64} constructor,x` },
      "malformed_signature",
    ],
    [
      "one malformed header of two",
      "box",
      { "box-signature-primary": "x", "box-signature-secondary": BASE64 },
      1,
    ],
    [
      "malformed headers only",
      "box",
      { "box-signature-primary": "x" },
      "malformed_signature",
    ],
    [
      "an ECDSA signature of 73 bytes",
      "sendgrid",
      {
        "x-twilio-email-event-webhook-signature":
          Buffer.alloc(73).toString("base64"),
      },
      "malformed_signature",
    ],
    ["the other prefix", "gitea", { "x-forgejo-signature": HEX }, 1],
  ])("with %s are read exactly", (_name, scheme, headers, expected) => {
    expect(read(scheme, headers)).toBe(expected);
  });

  it.each([
    ["{}", "missing_signature"],
    ['{"signature":{"signature":null}}', "missing_signature"],
    ['{"signature":{"signature":""}}', "malformed_signature"],
    ['{"signature":{"signature":[]}}', "malformed_signature"],
    ['{"signature":{"signature":7}}', "malformed_signature"],
    [`{"signature":{"signature":"${HEX}"}}`, 1],
    [`{"signature":{"signature":"${HEX}"`, 1],
    ["", "missing_signature"],
  ])("in the body %j are read without an error", (body, expected) => {
    expect(read("mailgun", {}, body)).toBe(expected);
  });
});

describe("a signature of another algorithm", () => {
  it("is skipped, whatever its length", () => {
    const { source } = schemeSource(schemeOf("standard-webhooks"));
    const { headers, body } = signRequest(source, {
      body: Buffer.from("{}"),
      contentType: "application/json",
      id: "msg_1",
      type: null,
      at: 0,
      url: "",
    });
    const own = headers["webhook-signature"] ?? "";
    const other = `v1a,${Buffer.alloc(64).toString("base64")}`;
    const isVerified = (signature: string): boolean =>
      verify(
        source,
        {
          method: "POST",
          url: "",
          headers: { ...headers, "webhook-signature": signature },
          body,
        },
        0,
      ).ok;
    expect([isVerified(`${other} ${own} ${other}`), isVerified(other)]).toEqual(
      [true, false],
    );
  });
});
