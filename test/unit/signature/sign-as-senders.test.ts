import { describe, expect, it } from "@jest/globals";
import type { Scheme } from "../../../src/domain/scheme.ts";
import { variantsOf } from "../../../src/signature/compiled-scheme.ts";
import { SCHEMES, schemeOf } from "../../../src/signature/schemes.ts";
import { signRequest } from "../../../src/signature/sign.ts";
import { signingSecret } from "../../support/fixtures.ts";
import type { Delivery } from "../../support/senders/sender.ts";
import { SENDERS } from "../../support/senders/senders.ts";

const URL_OF_SOURCE = "https://hooks.example.com/webhooks/x";

/** Returns the id that a delivery has in a header, if the scheme reads it there. */
function headerId({ id: { from } }: Scheme, { headers }: Delivery) {
  const names =
    from === null
      ? []
      : "header" in from
        ? [from.header]
        : "headers" in from
          ? from.headers
          : [];
  return names.map((name) => headers[name]).find(Boolean) ?? null;
}

/** The senders whose headers are of the first variant, with which this product signs. */
const CASES = SENDERS.filter(({ scheme, signature }) => {
  const [variant] = SCHEMES.has(scheme) ? variantsOf(schemeOf(scheme)) : [];
  return (
    variant !== undefined &&
    signature.every((name) => variant.signatureHeaders.includes(name)) &&
    // Each of its signatures is different.
    variant.scheme.algorithm !== "ecdsa-p256" &&
    // The senders write the time in other forms.
    variant.scheme.timestamp?.unit !== "rfc3339"
  );
});

describe("the signature of this product", () => {
  it.each(CASES.map((sender) => [sender.name, sender] as const))(
    "is that of %s",
    async (name, sender) => {
      const credential = sender.credential(name);
      const at = 1_800_000_000_000;
      const url = URL_OF_SOURCE;
      const delivery = await sender.deliver({ credential, at, n: 1, url });
      const calledUrl = `${url}${delivery.query ?? ""}`;
      const [variant] = variantsOf(schemeOf(sender.scheme));
      const scheme = variant!.scheme;
      const { privateKey, text } = credential;
      const request = signRequest(
        { scheme, secrets: [signingSecret(scheme, text)], publicUrl: url },
        {
          body: delivery.body,
          contentType: delivery.headers["content-type"]!,
          id: headerId(scheme, delivery),
          type: null,
          at,
          // Twilio's query is a part of the signature.
          url: scheme.name === "twilio" ? url : calledUrl,
          privateKey: privateKey ?? undefined,
        },
      );
      // The signature of Mailgun is in the body.
      const [header = ""] = sender.signature;
      expect(request.headers[header]).toBe(
        delivery.headers[header]?.replace(", ", ","),
      );
      expect(request.body.toString()).toBe(delivery.body.toString());
      expect(request.url).toBe(calledUrl);
    },
  );
});
