import { createHash } from "node:crypto";
import {
  hmac,
  json,
  JSON_TYPE,
  seconds,
  type Sender,
  textCredential,
} from "./sender.ts";

/* Senders that do not sign the body, by their documentation. */

export const TOKEN_SENDERS: readonly Sender[] = [
  {
    name: "mailgun",
    scheme: "mailgun",
    credential: textCredential,
    windowSeconds: 300,
    isBodyUnsigned: true,
    deliver({ credential, at, n }) {
      const timestamp = seconds(at);
      const token = createHash("sha256").update(`token ${n}`).digest("hex");
      const signature = hmac("sha256", credential, timestamp, token);
      const body = json({
        signature: { timestamp, token, signature: signature.toString("hex") },
        "event-data": { event: "delivered", id: `mailgun-${n}` },
      });
      return { headers: JSON_TYPE, body, id: token, type: "delivered" };
    },
    signature: [],
  },
  {
    name: "gitlab",
    scheme: "gitlab",
    credential: textCredential,
    isBodyUnsigned: true,
    deliver: ({ credential, n }) => ({
      headers: {
        ...JSON_TYPE,
        "x-gitlab-token": credential.text,
        "x-gitlab-event": "Push Hook",
        "x-gitlab-event-uuid": `gitlab-${n}`,
      },
      body: json({ object_kind: "push", n }),
      id: `gitlab-${n}`,
      type: "Push Hook",
    }),
    signature: ["x-gitlab-token"],
  },
  {
    name: "telegram",
    scheme: "token",
    settings: "token: { header: X-Telegram-Bot-Api-Secret-Token }",
    credential: textCredential,
    isBodyUnsigned: true,
    deliver: ({ credential, n }) => ({
      headers: {
        ...JSON_TYPE,
        "x-telegram-bot-api-secret-token": credential.text,
      },
      body: json({ update_id: n, message: { text: "hello" } }),
      id: null,
      type: "event",
    }),
    signature: ["x-telegram-bot-api-secret-token"],
  },
];
