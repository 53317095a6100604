import { beforeAll, describe, expect, it } from "@jest/globals";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { SCHEMES } from "../../../src/signature/schemes.ts";
import { TODAY } from "../../support/fixtures.ts";
import type { Delivery, Order, Sender } from "../../support/senders/sender.ts";
import { SENDERS } from "../../support/senders/senders.ts";
import { TAMPERINGS } from "../../support/senders/tampering.ts";
import {
  type Answer,
  startTestService,
  type TestService,
} from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

/* One service with a source for each sender. What arrives is signed without this product's code. */

const PUBLIC_URL = "https://hooks.example.com/base";
const SECRETS = ["current", "previous", "expired"] as const;

let service: TestService;
let requests = 0;

const variable = (sender: Sender, secret: string): string =>
  `${sender.name}_${secret}`.toUpperCase().replaceAll("-", "_");

function sourceEntry(sender: Sender): string {
  const settings = {
    current: TODAY,
    previous: "2999-01-01",
    expired: "2026-01-01",
  };
  const secrets = SECRETS.map((secret) => {
    const key = secret === "current" ? "createdAt" : "expiresAt";
    return `{ env: ${variable(sender, secret)}, ${key}: "${settings[secret]}" }`;
  });
  return `  ${sender.name}:
    scheme: ${sender.scheme}
    secrets: [${secrets.join(", ")}]
    ${sender.settings ?? ""}
`;
}

function secretVariables(sender: Sender): [string, string][] {
  return SECRETS.map((secret) => [
    variable(sender, secret),
    sender.credential(`${sender.name} ${secret}`).text,
  ]);
}

/** An order to the sender's source, signed with one of its secrets or with an unknown one. */
function order(
  sender: Sender,
  n: number,
  secret: (typeof SECRETS)[number] | "unknown" = "current",
): Order {
  return {
    credential: sender.credential(`${sender.name} ${secret}`),
    at: Date.now(),
    n,
    url: `${PUBLIC_URL}/webhooks/${sender.name}`,
  };
}

/** Sends from a new address, because rejections are limited for each address. */
function post(
  sender: Sender,
  { headers, body, query = "" }: Delivery,
): Promise<Answer> {
  requests += 1;
  const address = `10.1.${requests >> 8}.${requests & 255}`;
  return service.post(
    body,
    { ...headers, "x-forwarded-for": address },
    `/webhooks/${sender.name}${query}`,
  );
}

beforeAll(async () => {
  const { path: folder } = temporaryFolder();
  const file = path.join(folder, "hexhook.yaml");
  writeFileSync(file, `sources:\n${SENDERS.map(sourceEntry).join("")}`);
  service = await startTestService(folder, {
    env: {
      HEXHOOK_CONFIG: file,
      PUBLIC_URL,
      TRUST_PROXY: "1",
      ...Object.fromEntries(SENDERS.flatMap(secretVariables)),
    },
  });
});

it("has a sender of every scheme", () => {
  const { size } = new Set(SENDERS.map(({ name }) => name));
  expect(size).toBe(SENDERS.length);
  const senders = new Set(SENDERS.map(({ scheme }) => scheme));
  const schemes = [...SCHEMES.keys(), "custom", "token"];
  const missing = schemes.filter((name) => !senders.has(name));
  expect(missing).toEqual([]);
});

const UNAUTHORIZED =
  '401 {"title":"The request could not be verified","status":401,"code":"unauthorized"}';

const summary = ({ status, text }: Answer): string => `${status} ${text}`;

/** The response to a sender, with its body unless the sender accepts only responses without one. */
const expected = (sender: Sender, status: number, body: string): string =>
  `${status} ${sender.wantsEmptyResponses ? "" : body}`;

const receipt = (sender: Sender, status: string, id: string): string =>
  expected(sender, 200, JSON.stringify({ received: true, status, id }));

/** The facts in the audit trail about the accepted events of a sender. */
async function acceptedOf(sender: Sender) {
  return (await service.entries())
    .filter(
      ({ action, userId }) =>
        action === "webhook.accepted" && userId === `source:${sender.name}`,
    )
    .map(({ metadata }) => metadata);
}

describe.each(SENDERS.map((sender) => [sender.name, sender] as const))(
  "a delivery of %s",
  (_, sender) => {
    const unauthorized = expected(sender, 401, UNAUTHORIZED.slice(4));

    it("is accepted once, with its id and type", async () => {
      const delivery = await sender.deliver(order(sender, 1));
      const digest = createHash("sha256").update(delivery.body).digest("hex");
      const id = delivery.id ?? digest;
      expect(summary(await post(sender, delivery))).toBe(
        receipt(sender, "accepted", id),
      );
      const again = summary(await post(sender, delivery));
      expect(again).toBe(
        sender.scheme === "hex"
          ? '409 {"title":"This request was received before","status":409,"code":"replayed"}'
          : receipt(sender, "duplicate", id),
      );
      const accepted = await acceptedOf(sender);
      expect(accepted).toHaveLength(1);
      expect(accepted[0]).toMatchObject({
        eventId: id,
        eventType: delivery.type,
      });
    });

    it("is accepted with the previous secret, but not with an expired or an unknown one", async () => {
      const answers = [];
      for (const secret of ["expired", "unknown", "previous"] as const) {
        const delivery = await sender.deliver(order(sender, 2, secret));
        answers.push(summary(await post(sender, delivery)));
      }
      expect(answers).toEqual([
        unauthorized,
        unauthorized,
        expect.stringMatching(/^200 /),
      ]);
    });

    it("is refused after any change, and accepted unchanged afterwards", async () => {
      const genuine = order(sender, 3);
      const answers = await Promise.all(
        Object.entries(TAMPERINGS).map(async ([name, tamper]) => {
          const delivery = await tamper(sender, genuine);
          return delivery === null
            ? []
            : [[name, summary(await post(sender, delivery))] as const];
        }),
      );
      const tampered = answers.flat();
      expect(tampered.length).toBeGreaterThan(2);
      expect(tampered).toEqual(tampered.map(([name]) => [name, unauthorized]));
      const answer = await post(sender, await sender.deliver(genuine));
      expect(answer.status).toBe(200);
    });
  },
);

type Headers = Readonly<Record<string, string>>;

/** Joins the values of a header with several signatures. */
const join =
  (name: string, separator: string, prefix = "") =>
  (first: Headers, second: Headers): Headers => {
    const added = second[name]!.slice(second[name]!.indexOf(prefix));
    return { ...first, [name]: `${first[name]!}${separator}${added}` };
  };

describe.each([
  ["stripe", join("stripe-signature", ",", "v1=")],
  ["standard-webhooks", join("webhook-signature", " ")],
  ["standard-webhooks-ed25519", join("webhook-signature", " ")],
  ["svix", join("svix-signature", " ")],
  ["paddle", join("paddle-signature", ";", "h1=")],
  ["pagerduty", join("x-pagerduty-signature", ",")],
  ["calendly", join("calendly-webhook-signature", ",", "v1=")],
  [
    "docusign",
    (first: Headers, second: Headers) => ({
      ...first,
      "x-docusign-signature-100": second["x-docusign-signature-1"]!,
    }),
  ],
])("a delivery of %s with several signatures", (name, joined) => {
  const sender = SENDERS.find((one) => one.name === name)!;

  /** Delivers one message with the signatures of several secrets. */
  async function postSigned(
    n: number,
    ...secrets: readonly ("current" | "unknown")[]
  ): Promise<string> {
    const at = Date.now();
    const deliveries = await Promise.all(
      secrets.map(async (secret) =>
        sender.deliver({ ...order(sender, n, secret), at }),
      ),
    );
    const headers = deliveries
      .map((delivery) => delivery.headers)
      .reduce(joined);
    return summary(await post(sender, { ...deliveries[0]!, headers }));
  }

  it("is accepted if one of them is right", async () => {
    const accepted = expect.stringContaining('"status":"accepted"');
    expect(await postSigned(4, "unknown", "current")).toEqual(accepted);
    expect(await postSigned(5, "current", "unknown")).toEqual(accepted);
    expect(await postSigned(6, "unknown", "unknown")).toBe(UNAUTHORIZED);
  });
});

it.each([
  ["stripe", join("stripe-signature", ",", "v1=")],
  ["standard-webhooks", join("webhook-signature", " ")],
  ["paddle", join("paddle-signature", ";", "h1=")],
  ["pagerduty", join("x-pagerduty-signature", ",")],
])("a header of %s has at most 16 signatures", async (name, joined) => {
  const sender = SENDERS.find((one) => one.name === name)!;
  const delivery = await sender.deliver(order(sender, 7));
  const withCount = (count: number): Delivery => ({
    ...delivery,
    headers: Array.from({ length: count }, () => delivery.headers).reduce(
      joined,
    ),
  });
  expect(summary(await post(sender, withCount(17)))).toMatch(
    /^400 .*"bad_request"/,
  );
  expect(summary(await post(sender, withCount(16)))).toContain('"accepted"');
});

it("accepts a delivery of docusign that is signed with 20 keys", async () => {
  const sender = SENDERS.find(({ name }) => name === "docusign")!;
  const { body, headers } = await sender.deliver(order(sender, 8));
  const other = await sender.deliver(order(sender, 8, "unknown"));
  const signature = "x-docusign-signature-1";
  const signed: Record<string, string> = { ...headers };
  for (let key = 1; key < 20; key += 1) {
    signed[`x-docusign-signature-${key}`] = other.headers[signature]!;
  }
  signed["x-docusign-signature-20"] = headers[signature]!;
  const delivery = { headers: signed, body, id: null, type: "" };
  expect(summary(await post(sender, delivery))).toContain('"accepted"');
});

it("has one event for one token of mailgun, whatever the rest of the body is", async () => {
  const sender = SENDERS.find(({ name }) => name === "mailgun")!;
  const delivery = await sender.deliver(order(sender, 9));
  const body = Buffer.from(
    delivery.body.toString().replace('"delivered"', '"complained"'),
  );
  const id = delivery.id!;
  expect([
    summary(await post(sender, delivery)),
    summary(await post(sender, { ...delivery, body })),
  ]).toEqual([
    receipt(sender, "accepted", id),
    expect.stringMatching(/^409 .*"event_id_conflict"/),
  ]);
});
