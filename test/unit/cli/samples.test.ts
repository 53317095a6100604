import { describe, expect, it } from "@jest/globals";
import { hash as digest } from "node:crypto";
import type { Scheme } from "../../../src/domain/scheme.ts";
import { signDelivery } from "../../../src/cli/send/sender.ts";
import {
  tamper,
  type Tampering,
  TAMPERINGS,
} from "../../../src/cli/send/tamper.ts";
import { testMessage } from "../../../src/cli/send/test-message.ts";
import { UsageError } from "../../../src/errors.ts";
import { SCHEMES } from "../../../src/signature/schemes.ts";
import type { SignedRequest } from "../../../src/signature/sign.ts";
import { verify } from "../../../src/signature/verify.ts";
import { signingSecret, testSource } from "../../support/fixtures.ts";
import { secretFor } from "../../support/scheme-secrets.ts";

const ALL = [...SCHEMES.values()];
const AT = new Date("2026-11-26T18:00:00.250Z");
const URL_OF_ENDPOINT = "https://hooks.example.com/webhooks/test?tenant=1";

function sourceOf(scheme: Scheme) {
  const { text, privateKey } = secretFor(scheme);
  const source = testSource({
    scheme,
    secrets: [signingSecret(scheme, text)],
    publicUrl: "https://hooks.example.com/webhooks/test",
  });
  return { source, privateKey };
}

function signSample(
  scheme: Scheme,
  options: { id?: string; type?: string } = {},
): SignedRequest {
  const { source, privateKey } = sourceOf(scheme);
  const message = testMessage(scheme, { ...options, sample: true }, AT);
  return signDelivery(source, message, {
    at: AT.getTime(),
    url: URL_OF_ENDPOINT,
    privateKey,
  });
}

const verifyRequest = (scheme: Scheme, { url, headers, body }: SignedRequest) =>
  verify(
    sourceOf(scheme).source,
    { method: "POST", url, headers, body },
    AT.getTime(),
  );

/** What each scheme does not sign, so that a change is not noticed. */
const NOT_SIGNED: readonly [scheme: string, part: Tampering][] = [
  ["gitlab", "body"],
  ["mailgun", "body"],
];

describe("the sample of a scheme", () => {
  it.each(ALL.map((scheme) => [scheme.name, scheme] as const))(
    "is verified, with an id and a type: %s",
    (_name, scheme) => {
      const signed = signSample(scheme);
      const verified = verifyRequest(scheme, signed);
      expect(verified).toMatchObject({ ok: true });
      const { id, type } = verified as { id: string; type: string };
      const hasOwnId =
        scheme.id.from !== null &&
        // A webhook event of Discord has no id.
        scheme.name !== "discord";
      const bodySha256 = digest("sha256", signed.body, "hex");
      expect(id === bodySha256).toBe(!hasOwnId);
      expect(type === "event").toBe(scheme.type.from.length === 0);
      // Otherwise the second delivery of a series would be a duplicate.
      expect(signSample(scheme).body.equals(signed.body)).toBe(false);
    },
  );

  it.each(
    ALL.filter(({ id }) => id.from !== null).map(
      (scheme) => [scheme.name, scheme] as const,
    ),
  )("has the id and the type that the user chooses: %s", (_name, scheme) => {
    const type = scheme.type.from.length === 0 ? {} : { type: "chosen" };
    const signed = signSample(scheme, { id: "chosen-id", ...type });
    const verified = verifyRequest(scheme, signed);
    expect(verified).toMatchObject({
      ok: true,
      id: expect.stringMatching(/^chosen-id(?::[0-9a-f]{12})?$/),
      ...type,
    });
  });
});

describe("a tampered delivery", () => {
  const cases = ALL.flatMap((scheme) =>
    TAMPERINGS.filter(
      (part) => part !== "timestamp" || scheme.timestamp !== null,
    ).map((part) => [scheme.name, part, scheme] as const),
  );
  const isSigned = ([name, part]: (typeof cases)[number]): boolean =>
    !NOT_SIGNED.some((one) => one[0] === name && one[1] === part);

  it.each(cases.filter(isSigned))(
    "is well-formed, and not verified: %s, %s",
    (_name, part, scheme) => {
      const signed = signSample(scheme);
      const changed = tamper(scheme, signed, part);
      expect(changed).not.toEqual(signed);
      expect(verifyRequest(scheme, changed)).toMatchObject({
        ok: false,
        reason: "bad_signature",
      });
    },
  );

  it.each(cases.filter((one) => !isSigned(one)))(
    "is not possible where the change has no effect: %s, %s",
    (_name, part, scheme) => {
      expect(() => tamper(scheme, signSample(scheme), part)).toThrow(
        /does not sign the body/,
      );
    },
  );

  it("needs a timestamp for another timestamp", () => {
    const scheme = SCHEMES.get("github")!;
    expect(() => tamper(scheme, signSample(scheme), "timestamp")).toThrow(
      UsageError,
    );
  });
});
