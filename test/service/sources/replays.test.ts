import { beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import {
  reply,
  startDestination,
  type TestDestination,
} from "../../support/destinations.ts";
import { eventually } from "../../support/eventually.ts";
import { TODAY } from "../../support/fixtures.ts";
import {
  form,
  hmac,
  json,
  JSON_TYPE,
  FORM_TYPE,
  seconds,
  textCredential,
} from "../../support/senders/sender.ts";
import { readColumn } from "../../support/store-file.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

/* Ids that are not signed, and secrets that several sources share. */

/** The scheme of each source, and the name of its secret. */
const SOURCES = {
  github: ["github", "github"],
  "github-a": ["github", "shared github"],
  "github-b": ["github", "shared github"],
  gitlab: ["gitlab", "gitlab"],
  shopify: ["shopify", "shopify"],
  slack: ["slack", "slack"],
  "stripe-a": ["stripe", "shared stripe"],
  "stripe-b": ["stripe", "shared stripe"],
  woocommerce: ["woocommerce", "woocommerce"],
} as const;

type Name = keyof typeof SOURCES;
type Headers = Readonly<Record<string, string>>;

let service: TestService;
let destination: TestDestination;
let store: string;
let eventsBefore: number;
/** Makes bodies of different tests different. */
let n = 0;

beforeAll(async () => {
  const { path: folder } = temporaryFolder();
  store = path.join(folder, "hexhook.db");
  destination = await startDestination(reply(204));
  const entries = Object.entries(SOURCES).map(
    ([name, [scheme, secret]]) =>
      `  ${name}: { scheme: ${scheme}, secrets: [{ env: ${secret.replace(" ", "_").toUpperCase()}, createdAt: "${TODAY}" }] }\n`,
  );
  const file = path.join(folder, "hexhook.yaml");
  writeFileSync(
    file,
    `sources:\n${entries.join("")}destinations: { all: { url: "${destination.url}" } }\n`,
  );
  service = await startTestService(folder, {
    env: {
      HEXHOOK_CONFIG: file,
      ...Object.fromEntries(
        Object.values(SOURCES).map(([, secret]) => [
          secret.replace(" ", "_").toUpperCase(),
          textCredential(secret).text,
        ]),
      ),
    },
  });
});

beforeEach(() => {
  eventsBefore = countEvents();
  n += 1;
});

const credentialOf = (name: Name) => textCredential(SOURCES[name][1]);
const sha256 = (body: Buffer): string =>
  createHash("sha256").update(body).digest("hex");
const bodyOf = (what: string): Buffer => json({ what, n });

async function post(name: Name, body: Buffer, headers: Headers) {
  const { status, json } = await service.post(
    body,
    { ...JSON_TYPE, ...headers },
    `/webhooks/${name}`,
  );
  return { status, verdict: json["code"] ?? json["status"], id: json["id"] };
}

const github = (name: Name, body: Buffer, id?: string): Headers => ({
  "x-hub-signature-256": `sha256=${hmac("sha256", credentialOf(name), body).toString("hex")}`,
  "x-github-event": "push",
  ...(id === undefined ? {} : { "x-github-delivery": id }),
});

const stripe = (name: Name, body: Buffer, at = Date.now()): Headers => {
  const time = seconds(at);
  const mac = hmac("sha256", credentialOf(name), `${time}.`, body);
  return { "stripe-signature": `t=${time},v1=${mac.toString("hex")}` };
};

/** The senders whose ids are not signed. */
const UNSIGNED: Partial<Record<Name, (body: Buffer, id: string) => Headers>> = {
  github: (body, id) => github("github", body, id),
  gitlab: (_body, id) => ({
    "x-gitlab-token": credentialOf("gitlab").text,
    "x-gitlab-event-uuid": id,
  }),
  shopify: (body, id) => ({
    "x-shopify-hmac-sha256": hmac(
      "sha256",
      credentialOf("shopify"),
      body,
    ).toString("base64"),
    "x-shopify-webhook-id": id,
  }),
};

/** Returns what the destination got of this test, once it got `count` events. */
async function delivered(count: number) {
  const own = await eventually(async () => {
    const all = destination.attempts.filter(({ body }) =>
      body.includes(`"n":${n}}`),
    );
    return all.length < count ? undefined : all;
  });
  return own
    .map(
      ({ headers, body }) =>
        `${String(headers["webhook-id"])} ${body.toString()}`,
    )
    .sort();
}

const countEvents = (): number =>
  Number(readColumn(store, "SELECT count(*) FROM event")[0]);

/** Returns how many events were accepted during this test. */
const effects = (): number => countEvents() - eventsBefore;

describe.each(
  Object.entries(UNSIGNED) as [Name, (body: Buffer, id: string) => Headers][],
)("an id of %s, which is not signed", (name, headersOf) => {
  it("is the id of the event", async () => {
    const body = bodyOf("first");
    const id = `id-${n}`;
    const accepted = { status: 200, verdict: "accepted", id };
    expect(await post(name, body, headersOf(body, id))).toEqual(accepted);
    expect(await delivered(1)).toEqual([`${id} ${body.toString()}`]);
  });

  it("gives a captured body no second effect under another id, or without one", async () => {
    const body = bodyOf("captured");
    const id = `id-${n}`;
    await post(name, body, headersOf(body, id));
    const duplicate = { status: 200, verdict: "duplicate", id };

    for (const other of [id, `${id}-x`, "", "x".repeat(300)]) {
      expect(await post(name, body, headersOf(body, other))).toEqual(duplicate);
    }

    expect(effects()).toBe(1);
  });

  it("does not keep another event out that has the same id", async () => {
    const [captured, genuine, third] = [
      bodyOf("captured"),
      bodyOf("genuine"),
      bodyOf("third"),
    ];
    const id = `id-${n}`;
    const own = `${id}~${sha256(genuine).slice(0, 12)}`;
    await post(name, captured, headersOf(captured, id));

    const accepted = { status: 200, verdict: "accepted", id: own };
    expect(await post(name, genuine, headersOf(genuine, id))).toEqual(accepted);
    const retry = { status: 200, verdict: "duplicate", id: own };
    expect(await post(name, genuine, headersOf(genuine, id))).toEqual(retry);

    expect(await delivered(2)).toEqual(
      [`${id} ${captured.toString()}`, `${own} ${genuine.toString()}`].sort(),
    );
    const entries = await service.entries();
    expect(
      entries
        .filter(({ metadata }) => metadata["eventId"] === own)
        .map(({ action }) => action),
    ).toEqual(expect.arrayContaining(["webhook.accepted"]));
    // The id that was made unique is not free either.
    const answer = await post(name, third, headersOf(third, own));
    expect(answer).toMatchObject({
      verdict: "accepted",
      id: `${own}~${sha256(third).slice(0, 12)}`,
    });
  });
});

describe("a message without an id of the sender", () => {
  it("has the digest of its body as id, so that a retry that is signed again is a duplicate", async () => {
    const body = form({ command: "/deploy", text: String(n) });
    const slack = (at: number): Headers => {
      const time = seconds(at);
      const mac = hmac("sha256", credentialOf("slack"), `v0:${time}:`, body);
      return {
        ...FORM_TYPE,
        "x-slack-request-timestamp": time,
        "x-slack-signature": `v0=${mac.toString("hex")}`,
      };
    };
    const id = sha256(body);
    expect(await post("slack", body, slack(Date.now()))).toEqual({
      status: 200,
      verdict: "accepted",
      id,
    });
    for (const at of [Date.now(), Date.now() - 5000]) {
      const answer = await post("slack", body, slack(at));
      expect(answer).toEqual({ status: 200, verdict: "duplicate", id });
    }
  });

  it("whose id stands for several messages gets its digest appended", async () => {
    const headers = (body: Buffer): Headers => ({
      "x-wc-webhook-signature": hmac(
        "sha256",
        credentialOf("woocommerce"),
        body,
      ).toString("base64"),
      "x-wc-webhook-delivery-id": "one-id",
    });
    for (const body of [bodyOf("first"), bodyOf("second")]) {
      expect(await post("woocommerce", body, headers(body))).toMatchObject({
        verdict: "accepted",
        id: `one-id:${sha256(body).slice(0, 12)}`,
      });
    }
  });
});

describe("a signed id", () => {
  it("belongs to one body", async () => {
    const [first, second] = [1, 2].map((value) =>
      json({ id: `evt_${n}`, value }),
    );
    await post("stripe-a", first!, stripe("stripe-a", first!));
    expect(
      await post("stripe-a", second!, stripe("stripe-a", second!)),
    ).toMatchObject({
      status: 409,
      verdict: "event_id_conflict",
    });
  });
});

describe("one secret for two sources of one scheme", () => {
  it.each<[Name, Name, (body: Buffer) => Headers]>([
    ["stripe-a", "stripe-b", (body) => stripe("stripe-a", body)],
    ["github-b", "github-a", (body) => github("github-a", body, `id-${n}`)],
  ])(
    "gives a request that is sent to both, %s and %s, one effect",
    async (first, second, sign) => {
      const body = json({ id: `id-${n}`, type: "push" });
      const headers = sign(body);
      const id = `id-${n}`;
      const accepted = { status: 200, verdict: "accepted", id };
      const duplicate = { status: 200, verdict: "duplicate", id };

      expect(await post(first, body, headers)).toEqual(accepted);
      expect(await post(second, body, headers)).toEqual(duplicate);
      expect(await post(second, body, headers)).toEqual(duplicate);
      expect(await post(first, body, headers)).toEqual(duplicate);

      expect(effects()).toBe(1);
      const verdicts = (await service.entries()).filter(
        ({ metadata }) => metadata["bodySha256"] === sha256(body),
      );
      expect(
        verdicts.map(({ action, resource }) => [action, resource]),
      ).toEqual([
        ["webhook.accepted", `/webhooks/${first}`],
        ["webhook.replayed", `/webhooks/${second}`],
        ["webhook.replayed", `/webhooks/${second}`],
        ["webhook.replayed", `/webhooks/${first}`],
      ]);
    },
  );

  it("gives requests that arrive at the same moment one effect", async () => {
    const body = json({ id: `id-${n}` });
    const headers = stripe("stripe-a", body);
    const answers = await Promise.all(
      (["stripe-a", "stripe-b", "stripe-a", "stripe-b"] as const).map((name) =>
        post(name, body, headers),
      ),
    );
    const verdicts = answers.map(({ verdict }) => verdict);
    expect(verdicts.sort()).toEqual([
      "accepted",
      ...Array<string>(3).fill("duplicate"),
    ]);
    expect(effects()).toBe(1);
  });
});

describe("a header that several schemes have", () => {
  it("is checked with the secret of its own source", async () => {
    const body = bodyOf("other");
    const headers = github("github", body, `id-${n}`);
    expect((await post("github-a", body, headers)).status).toBe(401);
    expect((await post("github", body, headers)).status).toBe(200);
  });
});
