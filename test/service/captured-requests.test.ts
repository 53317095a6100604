import { beforeAll, describe, expect, it } from "@jest/globals";
import { createHash, createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/* An attacker sends captured requests again, with everything changed that their signatures do not cover. */

const SECRETS = {
  GITHUB: "github-0123456789abcdef0123456789",
  TWILIO: "0123456789abcdef0123456789abcdef",
  SLACK: "fedcba9876543210fedcba9876543210",
} as const;

const URL = "https://hooks.example.com/webhooks/twilio";

let service: TestService;

beforeAll(async () => {
  const folder = temporaryFolder().path;
  const file = path.join(folder, "hexhook.yaml");
  writeFileSync(
    file,
    `sources:
  github: { scheme: github, secrets: [{ env: GITHUB }] }
  twilio: { scheme: twilio, secrets: [{ env: TWILIO }], publicUrl: "${URL}" }
  team-a: { scheme: slack, secrets: [{ env: SLACK }] }
  team-b: { scheme: slack, secrets: [{ env: SLACK }] }
`,
  );
  service = await startTestService(folder, {
    env: { ...SECRETS, HEXHOOK_CONFIG: file },
  });
});

async function post(
  source: string,
  body: string,
  headers: Record<string, string>,
) {
  const { status, json } = await service.post(
    Buffer.from(body),
    headers,
    `/webhooks/${source}`,
  );
  return [status, json["code"] ?? json["status"], json["id"]];
}

const accepted = async (source: string) =>
  (await service.entries()).filter(
    ({ action, userId }) =>
      action === "webhook.accepted" && userId === `source:${source}`,
  ).length;

describe("a captured request of GitHub, which signs only the body", () => {
  const send = (body: string, id: string | null) =>
    post("github", body, {
      "content-type": "application/json",
      "x-github-event": "push",
      "x-hub-signature-256": `sha256=${createHmac("sha256", SECRETS.GITHUB).update(body).digest("hex")}`,
      ...(id === null ? {} : { "x-github-delivery": id }),
    });

  it("has no second effect, whatever its id", async () => {
    const body = '{"n":1}';
    const digest = createHash("sha256").update(body).digest("hex");
    expect(await send(body, "first")).toEqual([200, "accepted", "first"]);
    for (const id of ["first", "other", digest, "x".repeat(300), null]) {
      expect(await send(body, id)).toEqual([200, "duplicate", "first"]);
    }
    expect(await accepted("github")).toBe(1);
  });

  it("does not keep another event out whose id it is sent under", async () => {
    const [captured, genuine] = ['{"n":2}', '{"n":3}'];
    const digest = createHash("sha256").update(genuine).digest("hex");
    const id = `genuine~${digest.slice(0, 12)}`;
    expect(await send(captured, "genuine")).toEqual([
      200,
      "accepted",
      "genuine",
    ]);
    expect(await send(genuine, "genuine")).toEqual([200, "accepted", id]);
    expect(await send(genuine, "genuine")).toEqual([200, "duplicate", id]);
  });
});

describe("a captured request of Twilio, which signs names and values without their order or separators", () => {
  const fields = { MessageSid: "SM1", MessageStatus: "sent", To: "+15550100" };
  const signature = createHmac("sha1", SECRETS.TWILIO)
    .update(`${URL}MessageSidSM1MessageStatussentTo+15550100`)
    .digest("base64");
  const send = (body: string) =>
    post("twilio", body, {
      "content-type": "application/x-www-form-urlencoded",
      "x-twilio-signature": signature,
    });

  it("has no second effect if its fields are arranged differently", async () => {
    const body = new URLSearchParams(fields).toString();
    const [status, outcome, id] = await send(body);
    expect([status, outcome]).toEqual([200, "accepted"]);
    expect(await send(body)).toEqual([200, "duplicate", id]);
    for (const changed of [
      body.split("&").reverse().join("&"),
      body.replace("sent", "%73ent"),
      "MessageSid=SM1MessageStatussent&To=%2B15550100",
      "MessageSi=dSM1&MessageStatus=sent&To=%2B15550100",
      "MessageSidSM1MessageStatussentTo%2B15550100=",
    ]) {
      expect(await send(changed)).toEqual([
        409,
        "event_id_conflict",
        undefined,
      ]);
    }
    expect(await accepted("twilio")).toBe(1);
  });
});

describe("a captured request of Slack, sent to another endpoint with the same secret", () => {
  it("has no second effect", async () => {
    const body = '{"type":"event_callback","event_id":"Ev1"}';
    const time = String(Math.floor(Date.now() / 1000));
    const signature = createHmac("sha256", SECRETS.SLACK)
      .update(`v0:${time}:${body}`)
      .digest("hex");
    const headers = {
      "content-type": "application/json",
      "x-slack-request-timestamp": time,
      "x-slack-signature": `v0=${signature}`,
    };
    expect(await post("team-a", body, headers)).toEqual([
      200,
      "accepted",
      "Ev1",
    ]);
    expect(await post("team-b", body, headers)).toEqual([
      200,
      "duplicate",
      "Ev1",
    ]);
    expect(await accepted("team-b")).toBe(0);
  });
});
