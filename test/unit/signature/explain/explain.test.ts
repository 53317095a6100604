import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { readFileSync } from "node:fs";
import { checkRequest } from "../../../../src/cli/check-request.ts";
import {
  type Cause,
  CAUSES,
} from "../../../../src/signature/explain/causes.ts";
import { explain } from "../../../../src/signature/explain/explain.ts";
import type { Finding } from "../../../../src/signature/explain/finding.ts";
import { SCHEMES } from "../../../../src/signature/schemes.ts";
import { inProject } from "../../../support/project.ts";
import { SENDERS } from "../../../support/senders/senders.ts";
import {
  AT,
  type Broken,
  deliver,
  PUBLIC_URL,
  sourceOf,
  withBody,
  withHeaders,
} from "./break-delivery.ts";
import { BREAKS } from "./breaks.ts";

/** Returns what is wrong with a message, as `hexhook verify --explain` finds it. */
function findingsOf(broken: Broken): readonly Finding[] {
  const { source, message, others = [], repeated = [], url = null } = broken;
  const now = broken.now ?? AT;
  const { reason } = checkRequest({ source, message }, repeated, now);
  if (reason === null) {
    throw new Error("the message is not broken");
  }
  const context = { sources: [source, ...others], url, now };
  const findings = explain({ source, message }, reason, context);
  expectNoSecret(broken, findings);
  return findings;
}

/** Expects no secret and nothing that could be a signature. The SHA-256 of the body is neither. */
function expectNoSecret(
  { source, others = [], message }: Broken,
  findings: readonly Finding[],
): void {
  const text = JSON.stringify(findings).replace(/SHA-256 [0-9a-f]{64}/, "");
  expect(text).not.toMatch(/[0-9a-f]{32}|[A-Za-z0-9+/]{27}=/i);
  for (const { secrets } of [source, ...others]) {
    for (const secret of secrets) {
      expect(text).not.toContain(secret.text);
    }
  }
  for (const value of Object.values(message.headers)) {
    expect(String(value).length > 24 && text.includes(String(value))).toBe(
      false,
    );
  }
}

const ALL = Object.values(BREAKS)
  .flat()
  .map((one) => ({ ...one, findings: findingsOf(one.make()) }));

const causesOf = (broken: Broken): readonly string[] =>
  findingsOf(broken).map(({ cause }) => cause);

describe("explain", () => {
  it.each(ALL.map((one) => [one.broken, one] as const))(
    "names the cause: %s",
    (_broken, { causes, findings }) => {
      expect(findings.map(({ cause }) => cause)).toEqual(causes);
    },
  );

  it("has a break for every cause", () => {
    const shown = new Set(ALL.flatMap(({ causes }) => causes));
    expect(CAUSES.filter((cause) => !shown.has(cause))).toEqual([]);
  });

  it("prints for each break what docs/verify-explain.md says, which has no other rows", () => {
    const document = readFileSync(inProject("docs/verify-explain.md"), "utf8");
    const rows = [...document.matchAll(/^\| (.+?) +\| (.+?) +\|$/gm)]
      .map(([, broken, says]) => `${broken!} | ${says!}`)
      .filter((row) => !/^(?:what happened|-+) /.test(row));
    const expected = ALL.map(({ broken, findings }) => {
      const says = findings.map((finding) => finding.says);
      return `${broken} | ${says.join("; ")}`;
    });
    expect(rows).toEqual(expected);
  });
});

/** The schemes with a fixed description, which is all that `explain` knows of them. */
const NAMES = [...SCHEMES.keys()].filter((name) =>
  SENDERS.some(({ scheme }) => scheme === name),
);

/** Breaks that every scheme can have, as far as it covers the changed part. */
function commonBreaks(name: string): [Cause, Broken][] {
  const senders = SENDERS.filter(({ scheme }) => scheme === name);
  const genuine = deliver(name);
  const { source, message } = genuine;
  const signatures = senders
    .flatMap(({ signature }) => signature)
    .filter((header) => message.headers[header]);
  const signedAs = (value: string | undefined): Broken =>
    withHeaders(genuine, () =>
      Object.fromEntries(signatures.map((header) => [header, value])),
    );
  const { algorithm, timestamp } = source.scheme;
  const publicUrl = PUBLIC_URL.replace("https", "http");
  const breaks: [Cause, Broken, boolean][] = [
    ["unknown", { ...genuine, source: sourceOf(name, { seed: "2" }) }, true],
    ["signature-missing", signedAs(undefined), signatures.length > 0],
    [
      algorithm === "token" ? "unknown" : "signature-malformed",
      signedAs("x"),
      signatures.length > 0,
    ],
    [
      "newline-added",
      withBody(genuine, (body) => `${body.toString()}\n`),
      senders.every(({ isBodyUnsigned }) => !isBodyUnsigned),
    ],
    ["stale", { ...genuine, now: AT + 900_000 }, timestamp !== null],
    [
      "url-scheme",
      { ...genuine, source: { ...source, publicUrl } },
      senders.some(({ isUrlSigned }) => isUrlSigned),
    ],
  ];
  return breaks.flatMap(([cause, broken, applies]) =>
    applies ? [[cause, broken]] : [],
  );
}

describe("explain, for each scheme by its description alone", () => {
  it.each(NAMES)("%s", (name) => {
    expect(checkRequest(deliver(name), [], AT).reason).toBeNull();
    const breaks = commonBreaks(name);
    expect(breaks.map(([, broken]) => causesOf(broken))).toEqual(
      breaks.map(([cause]) => [cause]),
    );
  });
});

describe("explain, for any message", () => {
  it("finds something, and never throws", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...NAMES),
        fc.uint8Array({ maxLength: 64 }),
        fc.oneof(fc.string(), fc.string({ unit: "binary" })),
        (name, body, value) => {
          const broken = withHeaders(
            withBody(deliver(name), Buffer.from(body)),
            (all) =>
              Object.fromEntries(
                Object.keys(all).map((header) => [header, value]),
              ),
          );
          const { reason } = checkRequest(broken, [], AT);
          expect(reason === null || findingsOf(broken).length > 0).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });
});
