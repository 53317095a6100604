import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { createHmac, hash as digest } from "node:crypto";
import { formFieldsOf } from "../../../src/signature/form.ts";
import type { SignedMessage } from "../../../src/signature/message.ts";
import { schemeOf } from "../../../src/signature/schemes.ts";
import { verify } from "../../../src/signature/verify.ts";
import { SECRET, signingSecret, testSource } from "../../support/fixtures.ts";

const scheme = schemeOf("twilio");
const PATH = "/webhooks/twilio";
const HOST = "https://hooks.example.com";

const sourceAt = (publicUrl: string) =>
  testSource({ scheme, secrets: [signingSecret(scheme, SECRET)], publicUrl });
const source = sourceAt(HOST + PATH);

/** Returns a message with the signature of `signed`. */
function messageWith(
  signed: string,
  body: string,
  options: { query?: string; contentType?: string } = {},
): SignedMessage {
  const { query = "", contentType = "application/x-www-form-urlencoded" } =
    options;
  return {
    method: "POST",
    url: PATH + query,
    headers: {
      "content-type": contentType,
      "x-twilio-signature": createHmac("sha1", SECRET)
        .update(signed)
        .digest("base64"),
    },
    body: Buffer.from(body),
  };
}

const isVerified = (message: SignedMessage, by = source): boolean =>
  verify(by, message, 0).ok;

describe("Twilio's signatures", () => {
  it("cover the URL with its port or without", () => {
    const accepted = (publicUrl: string, signed: string): boolean =>
      isVerified(messageWith(`${signed}A1`, "A=1"), sourceAt(publicUrl));
    expect([
      accepted("https://h.example/x", "https://h.example/x"),
      accepted("https://h.example/x", "https://h.example:443/x"),
      accepted("http://h.example/x", "http://h.example:80/x"),
      accepted("https://h.example:8443/x", "https://h.example:8443/x"),
      accepted("https://h.example:8443/x", "https://h.example/x"),
      accepted("https://[::1]:8443/x", "https://[::1]/x"),
    ]).toEqual(Array(6).fill(true));
    expect([
      accepted("https://h.example:8443/x", "https://h.example:443/x"),
      accepted("https://h.example/x", "https://h.example:80/x"),
      accepted("https://h.example/x", "http://h.example/x"),
      accepted("https://h.example/x", "https://h.example/x/"),
    ]).toEqual(Array(4).fill(false));
  });

  it("cover the sorted fields of a form, in UTF-8", () => {
    const url = `${HOST}${PATH}?a=b%20c`;
    const message = messageWith(
      `${url}B=+ßBodyHi therex1x2`,
      "x=2&Body=Hi+there&x=1&x=2&B=%3D%2B%C3%9F",
      { query: "?a=b%20c" },
    );
    expect(isVerified(message)).toBe(true);
    const changed = message.body.toString().replace("x=2&", "");
    // A repeated value that is left out once is still there: the request is the same for the replay guard.
    const same = verify(source, { ...message, body: Buffer.from(changed) }, 0);
    expect(same).toMatchObject({
      ok: true,
      replayKey: (verify(source, message, 0) as { replayKey?: Buffer })
        .replayKey,
    });
  });

  it("do not cover the body of another media type without its hash", () => {
    const json = { contentType: "application/json" };
    expect([
      isVerified(messageWith(HOST + PATH, "{}", json)),
      isVerified(messageWith(`${HOST}${PATH}A1`, "A=1", json)),
      isVerified(
        messageWith(`${HOST}${PATH}A1`, "A=1", { contentType: "text/plain" }),
      ),
    ]).toEqual([false, false, false]);
  });

  it("cover the hash of the body, as the last parameter of the URL", () => {
    const hash = digest("sha256", "{}", "hex");
    const accepted = (query: string, body = "{}"): boolean =>
      isVerified(
        messageWith(HOST + PATH + query, body, {
          query,
          contentType: "application/json",
        }),
      );
    expect([
      accepted(`?bodySHA256=${hash}`),
      accepted(`?a=1&bodySHA256=${hash}`),
      accepted(`?bodySHA256=${hash}`, "{ }"),
      accepted(`?bodySHA256=${hash.toUpperCase()}`),
      accepted(`?bodySHA256=${hash}&a=1`),
      accepted(`?xbodySHA256=${hash}`),
    ]).toEqual([true, true, false, false, false, false]);
  });

  it("of a form do not verify as that of a URL with a hash", () => {
    // The text of a message is chosen by the person who sends it to the number.
    const evil = digest("sha256", '{"evil":1}', "hex");
    const form = new URLSearchParams({
      Body: `&bodySHA256=${evil}&`,
      To: "+15005550006",
    });
    const signed = `${HOST}${PATH}?a=1Body&bodySHA256=${evil}&To+15005550006`;
    expect(
      isVerified(messageWith(signed, form.toString(), { query: "?a=1" })),
    ).toBe(true);
    expect(
      isVerified(
        messageWith(signed, '{"evil":1}', {
          query: signed.slice((HOST + PATH).length),
          contentType: "application/json",
        }),
      ),
    ).toBe(false);
  });

  it("of a form with a thousand fields are refused before the form is read", () => {
    const formOf = (count: number): string =>
      Array.from({ length: count }, () => "a=1").join("&");
    const signed = `${HOST}${PATH}a1`;
    expect([
      isVerified(messageWith(signed, formOf(1000))),
      isVerified(messageWith(signed, formOf(1001))),
    ]).toEqual([true, false]);
  });

  it("of a form of more than a megabyte are refused before the form is read", () => {
    const isLong = (length: number): boolean => {
      const value = "b".repeat(length - 2);
      return isVerified(messageWith(`${HOST}${PATH}a${value}`, `a=${value}`));
    };
    expect([isLong(1_048_576), isLong(1_048_577)]).toEqual([true, false]);
  });

  it("cover the fields as the URL Standard decodes them", () => {
    const text = fc.array(
      fc.constantFrom("+", "%2B", "%20", " ", "%", "%e2", "=", "a", "é", "?"),
    );
    fc.assert(
      fc.property(text, text, (name, value) => {
        const body = Buffer.from(`${name.join("")}=${value.join("")}&b+=+`);
        const headers = { "content-type": "application/x-www-form-urlencoded" };

        expect(
          formFieldsOf({ method: "POST", url: "/", headers, body }),
        ).toEqual([...new URLSearchParams(body.toString())]);
      }),
    );
  });
});

describe("Twilio's ids and types", () => {
  it.each([
    ["MessageSid=SM1&MessageStatus=sent", "SM1", "sent"],
    ["CallSid=CA1&CallStatus=ringing", "CA1", "ringing"],
    ["CallSid=CA1&MessageSid=SM1&SmsStatus=received", "SM1", "received"],
    ["MessageSid=&CallSid=CA1", "CA1", "event"],
    ["MessageSid=SM1&MessageSid=SM2", "SM1", "event"],
  ])("are those of %s", (body, id, type) => {
    const signed = [...new URLSearchParams(body)]
      .map(([name, value]) => name + value)
      .sort()
      .join("");
    expect(
      verify(source, messageWith(HOST + PATH + signed, body), 0),
    ).toMatchObject({
      id: `${id}:${digest("sha256", body, "hex").slice(0, 12)}`,
      type,
      idSigned: true,
    });
  });

  it("are the digest and `event` for a form without them", () => {
    expect(
      verify(source, messageWith(`${HOST}${PATH}a1`, "a=1"), 0),
    ).toMatchObject({ id: digest("sha256", "a=1", "hex"), type: "event" });
  });

  it("reject a form whose id is not UTF-8", () => {
    const body = "MessageSid=%ff";
    expect(
      verify(source, messageWith(`${HOST}${PATH}MessageSid\ufffd`, body), 0),
    ).toMatchObject({ ok: true, id: null });
  });
});
