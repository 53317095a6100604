import { beforeAll, describe, expect, it } from "@jest/globals";
import { createHmac } from "node:crypto";
import type { Source } from "../../../src/domain/source.ts";
import { schemeOf } from "../../../src/signature/schemes.ts";
import { verify } from "../../../src/signature/verify.ts";
import { signingSecret, testSource } from "../../support/fixtures.ts";
import type { Delivery, Sender } from "../../support/senders/sender.ts";
import { SENDERS } from "../../support/senders/senders.ts";

/* What is genuine for one source and sent to another one, which has another secret. */

const AT = Date.parse("2026-11-26T18:00:00Z");
const URL_BASE = "https://hooks.example.com/webhooks/";

interface Endpoint {
  readonly sender: Sender;
  readonly source: Source;
  readonly delivery: Delivery;
}

let endpoints: readonly Endpoint[];

/** The senders whose scheme needs no configuration. */
const PLAIN = SENDERS.filter(
  ({ scheme }) => !/^(?:custom|token)$/.test(scheme),
);

beforeAll(async () => {
  endpoints = await Promise.all(
    PLAIN.map(async (sender) => {
      const credential = sender.credential(sender.name);
      const url = `${URL_BASE}${sender.name}`;
      const scheme = schemeOf(sender.scheme);
      return {
        sender,
        source: testSource({
          name: sender.name,
          scheme,
          secrets: [signingSecret(scheme, credential.text)],
          publicUrl: url,
        }),
        delivery: await sender.deliver({ credential, at: AT, n: 1, url }),
      };
    }),
  );
});

function accepts(
  { source }: Endpoint,
  headers: Readonly<Record<string, string>>,
  { body, query = "" }: Pick<Delivery, "body" | "query">,
): boolean {
  const url = `/webhooks/${source.name}${query}`;
  return verify(source, { method: "POST", url, headers, body }, AT).ok;
}

/** Returns the pairs for which `accepted` returns true. */
function pairs(accepted: (from: Endpoint, to: Endpoint) => boolean): string[] {
  return endpoints.flatMap((from) =>
    endpoints
      .filter((to) => to !== from && accepted(from, to))
      .map((to) => `${from.sender.name} → ${to.sender.name}`),
  );
}

describe("a genuine delivery", () => {
  it("is accepted by its own source only", () => {
    for (const endpoint of endpoints) {
      const { delivery, sender } = endpoint;
      const isAccepted = accepts(endpoint, delivery.headers, delivery);
      expect([sender.name, isAccepted]).toEqual([sender.name, true]);
    }
    const accepted = pairs(({ delivery }, to) =>
      accepts(to, delivery.headers, delivery),
    );
    expect(accepted).toEqual([]);
  });

  it("is not accepted with its signatures in the headers of another scheme", () => {
    const accepted = pairs((from, to) => {
      const [value = ""] = from.sender.signature.map(
        (name) => from.delivery.headers[name] ?? "",
      );
      const plain = value.replace(/^.*[=,]/, "");
      return [value, plain, `sha256=${plain}`, `v0=${plain}`].some((text) =>
        accepts(
          to,
          {
            ...to.delivery.headers,
            ...Object.fromEntries(
              to.sender.signature.map((name) => [name, text]),
            ),
          },
          from.delivery,
        ),
      );
    });
    expect(accepted).toEqual([]);
  });
});

describe("the signed bytes of a message with a timestamp, sent as a body", () => {
  /** The signed bytes of senders that sign more than the body. */
  const SIGNED: Readonly<
    Record<string, (body: Buffer, time: string) => string>
  > = {
    hex: (body, time) => `${time}.${body.toString()}`,
    slack: (body, time) => `v0:${time}:${body.toString()}`,
    zoom: (body, time) => `v0:${time}:${body.toString()}`,
    webflow: (body, time) => `${time}:${body.toString()}`,
  };

  it.each(Object.entries(SIGNED))(
    "of %s is accepted by no source that signs the body only",
    (name, signed) => {
      const from = endpoints.find(({ sender }) => sender.name === name);
      const { delivery, sender } = from ?? endpoints[0]!;
      const time = delivery.headers[sender.time ?? ""] ?? "";
      const body = Buffer.from(signed(delivery.body, time));
      const [header = ""] = sender.signature;
      const mac = createHmac("sha256", sender.credential(sender.name).text)
        .update(body)
        .digest("hex");
      // The signature really is that of the body.
      expect(delivery.headers[header]).toContain(mac);

      const targets = endpoints.filter(
        ({ sender: { windowSeconds, isUrlSigned } }) =>
          windowSeconds === undefined && isUrlSigned === undefined,
      );
      expect(targets.length).toBeGreaterThan(15);
      for (const to of targets) {
        for (const text of [mac, `sha256=${mac}`]) {
          const signature = Object.fromEntries(
            to.sender.signature.map((one) => [one, text]),
          );
          const headers = { ...to.delivery.headers, ...signature };
          expect([to.sender.name, accepts(to, headers, { body })]).toEqual([
            to.sender.name,
            false,
          ]);
        }
      }
    },
  );
});
