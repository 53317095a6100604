import { describe, expect, it } from "@jest/globals";
import { generateKeyPairSync } from "node:crypto";
import { schemeOf } from "../../../src/signature/schemes.ts";
import {
  SignError,
  signRequest,
  type UnsignedRequest,
} from "../../../src/signature/sign.ts";
import { judge } from "../../support/judge.ts";
import { schemeSource } from "../../support/scheme-source.ts";

const AT = 1_800_000_000_000;
const FORM = "application/x-www-form-urlencoded";

function sign(
  scheme: string,
  body: string,
  changes: Partial<UnsignedRequest> = {},
) {
  const { source, privateKey } = schemeSource(schemeOf(scheme));
  const request = signRequest(source, {
    body: Buffer.from(body),
    contentType: "application/json",
    id: null,
    type: null,
    at: AT,
    url: "https://hooks.example.com/webhooks/x",
    privateKey,
    ...changes,
  });
  const { headers, body: sent } = request;
  const url = request.url.slice("https://hooks.example.com".length);
  const message = { method: "POST", url, headers, body: sent };
  return {
    ...request,
    text: sent.toString(),
    verdict: judge(source, message, AT),
  };
}

describe("the signer", () => {
  it("leaves the bytes of a body that has all it needs", () => {
    const body =
      ' {"id" : "evt_1", "type":"t", "webhookTimestamp":1800000000000}\n';
    for (const scheme of ["hex", "stripe", "github", "linear"]) {
      expect(sign(scheme, body)).toMatchObject({
        text: body,
        verdict: "verified",
      });
    }
    expect(sign("hex", body, { id: "evt_1", type: "t" }).text).toBe(body);
  });

  it("puts the id, the type and the time into the body, as the type that they have", () => {
    expect(sign("linear", '{"webhookTimestamp":1}').text).toBe(
      '{"webhookTimestamp":1800000000000}',
    );
    expect(
      sign("pagerduty", '{"event":{"id":1}}', { id: "2", type: "t" }).text,
    ).toBe('{"event":{"id":2,"event_type":"t"}}');
    expect(sign("slack", "{}", { type: "t" }).text).toBe(
      '{"event":{"type":"t"}}',
    );
    expect(sign("sendgrid", '[{"event":"a"},{}]', { type: "t" })).toMatchObject(
      {
        text: '[{"event":"t"},{}]',
        verdict: "verified",
      },
    );
    expect(JSON.parse(sign("mailgun", "{}").text)).toEqual({
      signature: {
        timestamp: "1800000000",
        token: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
        signature: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
      },
    });
  });

  it("makes an id for a header that must have one", () => {
    const { headers, verdict } = sign("standard-webhooks", "{}");
    expect(headers["webhook-id"]).toMatch(/^[0-9a-f]{32}$/);
    expect(verdict).toBe("verified");
  });

  it("signs text of the body in UTF-8, in which no two characters are the same", () => {
    const token = (text: string): string =>
      JSON.stringify({ signature: { token: text } });
    const signed = sign("mailgun", token("\u0141"), { id: "\u0141" });
    expect(signed.verdict).toBe("verified");
    const { source } = schemeSource(schemeOf("mailgun"));
    const { body } = signRequest(source, {
      body: Buffer.from("{}"),
      contentType: "application/json",
      id: "\u0141",
      type: null,
      at: AT,
      url: "",
    });
    // Cut to one byte, U+0141 is the letter A.
    const forged = Buffer.from(body.toString().replace("\u0141", "A"));
    const message = { method: "POST", url: "/", headers: {} };
    expect([
      judge(source, { ...message, body }, AT),
      judge(source, { ...message, body: forged }, AT),
    ]).toEqual(["verified", "bad_signature"]);
  });

  it("puts the id and the type into a form, or the hash of another body into the URL", () => {
    const form = sign("twilio", "Body=a%26b&CallSid=CA0", {
      contentType: FORM,
      id: "CA1",
      type: "ringing",
    });
    expect(form).toMatchObject({
      text: "Body=a%26b&CallSid=CA1&MessageStatus=ringing",
      verdict: "verified",
    });
    const json = sign("twilio", "{}", { id: "CA1", type: "ringing" });
    expect(json).toMatchObject({ text: "{}", verdict: "verified" });
    expect(json.url).toMatch(/x\?bodySHA256=[0-9a-f]{64}$/);
  });

  it("signs with v1a for a public key, and with v1 for a symmetric one", () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const scheme = schemeOf("standard-webhooks");
    const { source } = schemeSource(scheme);
    const [secret] = source.secrets;
    const secrets = [
      { ...secret, algorithm: "ed25519", publicKey },
      secret,
    ] as unknown as typeof source.secrets;
    const request = {
      body: Buffer.from("{}"),
      contentType: "application/json",
      id: "msg_1",
      type: null,
      at: AT,
      url: "",
      privateKey,
    };
    const header = "webhook-signature";
    expect(signRequest(source, request).headers[header]).toMatch(/^v1,/);
    const { headers, body } = signRequest({ ...source, secrets }, request);
    expect(headers[header]).toMatch(/^v1a,/);
    expect(
      judge(
        { ...source, secrets },
        { method: "POST", url: "", headers, body },
        AT,
      ),
    ).toBe("verified");
  });

  it.each<[string, string, string, Partial<UnsignedRequest>]>([
    ["must be JSON, to set /webhookTimestamp", "linear", "x", {}],
    ["has no place for /event/id", "pagerduty", '{"event":1}', { id: "1" }],
    ["the private key is needed", "discord", "{}", { privateKey: undefined }],
    [
      "does not belong to the public key",
      "discord",
      "{}",
      { privateKey: generateKeyPairSync("ed25519").privateKey },
    ],
  ])("throws an error: %s", (message, scheme, body, changes) => {
    expect(() => sign(scheme, body, changes)).toThrow(SignError);
    expect(() => sign(scheme, body, changes)).toThrow(message);
  });

  it("does not set the prototype of a body", () => {
    const scheme = schemeOf("stripe");
    const { source } = schemeSource({
      ...scheme,
      id: { from: { pointer: "/__proto__/id" }, isSigned: true },
    });
    const { body } = signRequest(source, {
      body: Buffer.from("{}"),
      contentType: "application/json",
      id: "evt_1",
      type: null,
      at: AT,
      url: "",
    });
    expect(body.toString()).toBe('{"__proto__":{"id":"evt_1"}}');
  });
});
