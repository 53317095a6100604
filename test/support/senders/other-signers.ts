import { sign } from "node:crypto";
import {
  type Credential,
  ed25519Credential,
  hmac,
  json,
  JSON_TYPE,
  p256Credential,
  seconds,
  type Sender,
  textCredential,
} from "./sender.ts";

/* Senders that sign other things than the body or the time before it, by their documentation. */

/** Signs with the private key of a credential. `hash` is null for Ed25519. */
const asymmetric = (
  hash: "sha256" | null,
  { privateKey }: Credential,
  ...parts: readonly (string | Buffer)[]
): Buffer =>
  sign(
    hash,
    Buffer.concat(parts.map((part) => Buffer.from(part))),
    privateKey!,
  );

export const OTHER_SIGNERS: readonly Sender[] = [
  {
    name: "standard-webhooks-ed25519",
    scheme: "standard-webhooks",
    credential: ed25519Credential((key) => `whpk_${key.toString("base64")}`),
    windowSeconds: 300,
    deliver({ credential, at, n }) {
      const id = `msg_${n}`;
      const body = json({ type: "invoice.paid", data: { n } });
      const time = seconds(at);
      const mac = asymmetric(null, credential, `${id}.${time}.`, body);
      return {
        headers: {
          ...JSON_TYPE,
          "webhook-id": id,
          "webhook-timestamp": time,
          "webhook-signature": `v1a,${mac.toString("base64")}`,
        },
        body,
        id,
        type: "invoice.paid",
      };
    },
    signature: ["webhook-signature"],
    time: "webhook-timestamp",
    signedId: "webhook-id",
  },
  {
    name: "square",
    scheme: "square",
    credential: textCredential,
    isUrlSigned: true,
    deliver({ credential, n, url }) {
      const body = json({ event_id: `square-${n}`, type: "payment.created" });
      const mac = hmac("sha256", credential, url, body).toString("base64");
      return {
        headers: { ...JSON_TYPE, "x-square-hmacsha256-signature": mac },
        body,
        id: `square-${n}`,
        type: "payment.created",
      };
    },
    signature: ["x-square-hmacsha256-signature"],
  },
  {
    name: "hubspot",
    scheme: "hubspot",
    credential: textCredential,
    windowSeconds: 300,
    isUrlSigned: true,
    deliver({ credential, at, n, url }) {
      const body = json([{ eventId: n, subscriptionType: "contact.creation" }]);
      const query = "?next=%2Fa%40b&x=%20";
      const time = String(at);
      const signed = `POST${url}?next=/a@b&x=%20`;
      const mac = hmac("sha256", credential, signed, body, time);
      return {
        headers: {
          ...JSON_TYPE,
          "x-hubspot-request-timestamp": time,
          "x-hubspot-signature-v3": mac.toString("base64"),
        },
        query,
        body,
        id: null,
        type: "contact.creation",
      };
    },
    signature: ["x-hubspot-signature-v3"],
    time: "x-hubspot-request-timestamp",
  },
  {
    name: "twitch",
    scheme: "twitch",
    credential: textCredential,
    windowSeconds: 600,
    deliver({ credential, at, n }) {
      const id = `twitch-${n}`;
      // The sender writes nine digits of the second.
      const time = new Date(at).toISOString().replace("Z", "123456Z");
      const body = json({
        subscription: { type: "channel.follow" },
        event: { n },
      });
      const mac = hmac("sha256", credential, id, time, body).toString("hex");
      return {
        headers: {
          ...JSON_TYPE,
          "twitch-eventsub-message-id": id,
          "twitch-eventsub-message-timestamp": time,
          "twitch-eventsub-message-type": "notification",
          "twitch-eventsub-message-signature": `sha256=${mac}`,
        },
        body,
        id,
        type: "notification",
      };
    },
    signature: ["twitch-eventsub-message-signature"],
    time: "twitch-eventsub-message-timestamp",
    signedId: "twitch-eventsub-message-id",
  },
  {
    name: "discord",
    scheme: "discord",
    credential: ed25519Credential((key) => key.toString("hex")),
    windowSeconds: 300,
    deliver({ credential, at, n }) {
      const body = json({
        version: 1,
        application_id: String(n),
        type: 1,
        event: { type: "ENTITLEMENT_CREATE", data: {} },
      });
      const time = seconds(at);
      const mac = asymmetric(null, credential, time, body).toString("hex");
      return {
        headers: {
          ...JSON_TYPE,
          "x-signature-timestamp": time,
          "x-signature-ed25519": mac,
        },
        body,
        id: null,
        type: "ENTITLEMENT_CREATE",
      };
    },
    signature: ["x-signature-ed25519"],
    time: "x-signature-timestamp",
  },
  {
    name: "sendgrid",
    scheme: "sendgrid",
    credential: p256Credential,
    windowSeconds: 300,
    deliver({ credential, at, n }) {
      const body = Buffer.from(
        `${JSON.stringify([{ event: "delivered", sg_event_id: `sg-${n}` }])}\r\n`,
      );
      const time = seconds(at);
      const mac = asymmetric("sha256", credential, time, body);
      return {
        headers: {
          ...JSON_TYPE,
          "x-twilio-email-event-webhook-timestamp": time,
          "x-twilio-email-event-webhook-signature": mac.toString("base64"),
        },
        body,
        id: null,
        type: "delivered",
      };
    },
    signature: ["x-twilio-email-event-webhook-signature"],
    time: "x-twilio-email-event-webhook-timestamp",
  },
  {
    name: "box",
    scheme: "box",
    credential: textCredential,
    windowSeconds: 600,
    deliver({ credential, at, n }) {
      const body = json({ trigger: "FILE.UPLOADED", source: { id: n } });
      const time = new Date(at).toISOString().replace(/\.\d+Z$/, "-00:00");
      const mac = hmac("sha256", credential, body, time).toString("base64");
      const second = textCredential("the other key of the sender");
      return {
        headers: {
          ...JSON_TYPE,
          "box-delivery-id": `box-${n}`,
          "box-delivery-timestamp": time,
          "box-signature-algorithm": "HmacSHA256",
          "box-signature-version": "1",
          "box-signature-primary": mac,
          "box-signature-secondary": hmac(
            "sha256",
            second,
            body,
            time,
          ).toString("base64"),
        },
        body,
        id: `box-${n}`,
        type: "FILE.UPLOADED",
      };
    },
    signature: ["box-signature-primary", "box-signature-secondary"],
    time: "box-delivery-timestamp",
  },
  {
    name: "linear",
    scheme: "linear",
    credential: textCredential,
    windowSeconds: 60,
    deliver({ credential, at, n }) {
      const body = json({
        type: "Issue",
        action: "create",
        n,
        webhookTimestamp: at,
      });
      const mac = hmac("sha256", credential, body).toString("hex");
      return {
        headers: {
          ...JSON_TYPE,
          "linear-delivery": `linear-${n}`,
          "linear-signature": mac,
        },
        body,
        id: `linear-${n}`,
        type: "Issue",
      };
    },
    signature: ["linear-signature"],
  },
  {
    name: "legacy",
    scheme: "custom",
    settings:
      'custom: { signature: { header: X-Sig, prefix: "sha512=", encoding: base64 }, algorithm: sha512, signed: "{method} {url} {id} {timestamp} {body}", timestamp: { header: X-Time, unit: rfc3339 }, id: { header: X-Id }, type: { pointer: /kind } }',
    credential: textCredential,
    windowSeconds: 300,
    isUrlSigned: true,
    deliver({ credential, at, n, url }) {
      const id = `legacy-${n}`;
      const time = new Date(at).toISOString();
      const body = json({ kind: "order.placed", n });
      const signed = `POST ${url}?a=b ${id} ${time} `;
      const mac = hmac("sha512", credential, signed, body).toString("base64");
      return {
        headers: {
          ...JSON_TYPE,
          "x-id": id,
          "x-time": time,
          "x-sig": `sha512=${mac}`,
        },
        query: "?a=b",
        body,
        id,
        type: "order.placed",
      };
    },
    signature: ["x-sig"],
    time: "x-time",
    signedId: "x-id",
  },
];
