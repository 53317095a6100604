import { describe, expect, it } from "@jest/globals";
import type { Scheme } from "../../../src/domain/scheme.ts";
import { variantsOf } from "../../../src/signature/compiled-scheme.ts";
import {
  customScheme,
  tokenScheme,
} from "../../../src/signature/custom-scheme.ts";
import type { SignedMessage } from "../../../src/signature/message.ts";
import { SCHEMES } from "../../../src/signature/schemes.ts";
import { signRequest } from "../../../src/signature/sign.ts";
import { verify } from "../../../src/signature/verify.ts";
import { judge } from "../../support/judge.ts";
import { schemeSource } from "../../support/scheme-source.ts";

const NOW = 1_800_000_000_000;
const TARGET = "http://127.0.0.1:3000/webhooks/x?a=1";

const described = [
  customScheme({
    signature: { header: "X-Sig", prefix: "v1:", encoding: "base64" },
    algorithm: "sha512",
    keyDecoding: "base64",
    signed: "{method} {url} {id} {timestamp} {body}",
    timestamp: { header: "X-Ts", unit: "rfc3339" },
    id: { header: "X-Id" },
    type: { header: "X-Type" },
  }),
  customScheme({
    signature: { header: "x-ed", encoding: "base64" },
    algorithm: "ed25519",
    keyDecoding: "base64",
    signed: "{body}",
    timestamp: { pointer: "/sent/at", unit: "s" },
    id: { pointer: "/event/id" },
    type: { pointer: "/event/type" },
  }),
  tokenScheme({ header: "Authorization" }),
].map((scheme): Scheme => {
  if ("errors" in scheme) {
    throw new TypeError(JSON.stringify(scheme.errors));
  }
  return scheme;
});

const CASES = [...SCHEMES.values(), ...described].map((scheme, n) => ({
  name: `${n} ${scheme.name}`,
  scheme,
}));

/** Returns a request as a sender of the scheme sends it, and its source. */
function signedMessage(scheme: Scheme) {
  const { source, privateKey } = schemeSource(scheme);
  const isForm = scheme.media[0] === "form";
  const request = signRequest(source, {
    body: Buffer.from(
      isForm ? "To=%2B15005550009&Body=a+b" : '{"id":"old","data":{"n":1}}',
    ),
    contentType: isForm
      ? "application/x-www-form-urlencoded"
      : "application/json",
    id: "evt_1",
    type: "resource.created",
    at: NOW,
    url: TARGET,
    privateKey,
  });
  const { headers, body } = request;
  const url = request.url.slice("http://127.0.0.1:3000".length);
  const message: SignedMessage = { method: "POST", url, headers, body };
  return { source, message };
}

/** Whether the signature covers the whole body. */
const signsBody = ({ algorithm, signed }: Scheme): boolean =>
  algorithm !== "token" &&
  (typeof signed !== "string" || signed.includes("{body}"));

describe.each(CASES)("a request of scheme $name", ({ scheme }) => {
  const { source, message } = signedMessage(scheme);
  const [variant] = variantsOf(scheme);
  const { timestamp, id, type } = variant?.scheme ?? scheme;
  const verdict = (changes: Partial<SignedMessage>, now = NOW): string =>
    judge(source, { ...message, ...changes }, now);
  const withHeader = (name: string, value?: string) => ({
    headers: { ...message.headers, [name]: value },
  });

  it("is verified, with its id, type and time", () => {
    const verified = verify(source, message, NOW);
    const idForm =
      id.from === null
        ? /^[0-9a-f]{64}$/
        : id.withDigest
          ? /^evt_1:[0-9a-f]{12}$/
          : /^evt_1$/;
    expect(verified).toMatchObject({
      ok: true,
      keyId: source.secrets[0]?.keyId,
      signedAt: timestamp === null ? null : NOW / 1000,
      type: type.from.length === 0 ? "event" : "resource.created",
      idSigned: id.isSigned || id.from === null,
      id: expect.stringMatching(idForm) as unknown,
    });
  });

  it("is verified in the replay window only, whose ends count", () => {
    const seconds = source.replayWindowSeconds;
    const after = (s: number): string => verdict({}, NOW + s * 1000);
    expect([seconds, -seconds, seconds + 1, -seconds - 1].map(after)).toEqual(
      timestamp === null
        ? Array(4).fill("verified")
        : ["verified", "verified", "stale_timestamp", "future_timestamp"],
    );
  });

  it("is rejected after a change of a byte of the body, if the scheme signs it", () => {
    const verdicts = [...message.body.keys()].map((at) => {
      const body = Buffer.from(message.body);
      body[at] = (body[at] ?? 0) ^ 1;
      return verdict({ body });
    });
    const { body } = message;
    verdicts.push(
      verdict({ body: body.subarray(1) }),
      verdict({ body: body.subarray(0, -1) }),
      verdict({ body: Buffer.concat([body, Buffer.from("\n")]) }),
      verdict({ body: Buffer.alloc(0) }),
    );
    expect(verdicts.includes("verified")).toBe(!signsBody(scheme));
  });

  it("is rejected after a change of a character of a signed header, and without it", () => {
    const names = [
      ...(variant?.signatureHeaders ?? []).filter(
        (name) => message.headers[name] !== undefined,
      ),
      ...[timestamp?.from, id.isSigned ? id.from : null].flatMap((place) =>
        place && "header" in place ? [place.header] : [],
      ),
    ];
    for (const name of names) {
      const value = String(message.headers[name]);
      const verdicts = Array.from({ length: value.length }, (_, at) => {
        const other = String.fromCharCode(value.charCodeAt(at) ^ 1);
        return verdict(
          withHeader(name, value.slice(0, at) + other + value.slice(at + 1)),
        );
      });
      verdicts.push(
        verdict(withHeader(name)),
        verdict(withHeader(name, value.slice(0, -1))),
        verdict(withHeader(name, `${value}0`)),
      );
      expect([name, verdicts.filter((one) => one === "verified")]).toEqual([
        name,
        [],
      ]);
    }
  });

  it("is rejected for another URL or method exactly if they are signed", () => {
    const text =
      typeof scheme.signed === "string" ? scheme.signed : "{url}{body}";
    const { url } = message;
    const changes = {
      url: [
        verdict({ url: url.replace("a=1", "a=2") }),
        judge({ ...source, publicUrl: "https://x.example/" }, message, NOW),
        judge({ ...source, publicUrl: null }, message, NOW),
      ],
      method: [verdict({ method: "PUT" })],
    };
    const expected = (isSigned: boolean, refused: string[]): string[] =>
      isSigned ? refused : refused.map(() => "verified");
    const signsUrl = /\{(?:decoded_)?url\}/.test(text);
    expect(changes).toEqual({
      url: expected(signsUrl, [
        "bad_signature",
        "bad_signature",
        "missing_public_url",
      ]),
      method: expected(text.includes("{method}"), ["bad_signature"]),
    });
  });

  it("is rejected for another secret and after the end of an overlap", () => {
    const { source: other } = schemeSource(scheme);
    expect(judge(other, message, NOW)).toBe("bad_signature");
    const [secret] = source.secrets;
    const rotated = {
      ...source,
      secrets: [...other.secrets, { ...secret, expiresAt: NOW }],
    } as typeof source;
    expect([
      judge(rotated, message, NOW),
      judge(rotated, message, NOW - 1),
    ]).toEqual(["expired_secret", "verified"]);
  });
});
