import { sign as signAsGithub } from "@octokit/webhooks-methods";
import { Webhook as StandardWebhook } from "standardwebhooks";
import Stripe from "stripe";
import { Webhook as SvixWebhook } from "svix";
import twilio from "twilio";
import {
  FORM_TYPE,
  form,
  json,
  JSON_TYPE,
  prefixedCredential,
  seconds,
  type Sender,
  standardCredential,
  textCredential,
  withDigest,
} from "./sender.ts";

/* Senders whose own npm packages sign. */

const STANDARD = {
  scheme: "standard-webhooks",
  credential: standardCredential,
  windowSeconds: 300,
} as const;

function twilioUrl(url: string, body: Buffer): string {
  const hash = twilio.getExpectedBodyHash(body.toString());
  return `${url}?bodySHA256=${hash}`;
}

export const SENDERS_BY_PACKAGE: readonly Sender[] = [
  {
    name: "standard-webhooks",
    ...STANDARD,
    deliver({ credential, at, n }) {
      const id = `msg_${n}`;
      const body = json({ type: "invoice.paid", data: { n } });
      const webhook = new StandardWebhook(credential.text);
      return {
        headers: {
          ...JSON_TYPE,
          "webhook-id": id,
          "webhook-timestamp": seconds(at),
          "webhook-signature": webhook.sign(id, new Date(at), body.toString()),
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
    name: "svix",
    ...STANDARD,
    scheme: "svix",
    deliver({ credential, at, n }) {
      const id = `msg_${n}`;
      const body = json({ type: "user.created", data: { n } });
      const webhook = new SvixWebhook(credential.text);
      return {
        headers: {
          ...JSON_TYPE,
          "svix-id": id,
          "svix-timestamp": seconds(at),
          "svix-signature": webhook.sign(id, new Date(at), body.toString()),
        },
        body,
        id,
        type: "user.created",
      };
    },
    signature: ["svix-signature"],
    time: "svix-timestamp",
    signedId: "svix-id",
  },
  {
    name: "stripe",
    scheme: "stripe",
    credential: prefixedCredential("whsec_"),
    windowSeconds: 300,
    deliver({ credential, at, n }) {
      const body = json({
        id: `evt_${n}`,
        object: "event",
        type: "charge.succeeded",
        data: { object: { id: `ch_${n}`, object: "charge" } },
      });
      const header = Stripe.webhooks.generateTestHeaderString({
        payload: body.toString(),
        secret: credential.text,
        timestamp: Math.floor(at / 1000),
      });
      return {
        headers: {
          "content-type": "application/json; charset=utf-8",
          "stripe-signature": header,
        },
        body,
        id: `evt_${n}`,
        type: "charge.succeeded",
      };
    },
    signature: ["stripe-signature"],
    time: "stripe-signature",
  },
  {
    name: "github",
    scheme: "github",
    credential: textCredential,
    async deliver({ credential, n }) {
      const body = json({ ref: "refs/heads/main", after: String(n) });
      return {
        headers: {
          ...JSON_TYPE,
          "x-github-event": "push",
          "x-github-delivery": `delivery-${n}`,
          "x-hub-signature-256": await signAsGithub(
            credential.text,
            body.toString(),
          ),
        },
        body,
        id: `delivery-${n}`,
        type: "push",
      };
    },
    signature: ["x-hub-signature-256"],
  },
  {
    name: "github-form",
    scheme: "github",
    credential: textCredential,
    async deliver({ credential, n }) {
      const body = form({ payload: JSON.stringify({ after: String(n) }) });
      return {
        headers: {
          ...FORM_TYPE,
          "x-github-event": "push",
          "x-github-delivery": `form-${n}`,
          "x-hub-signature-256": await signAsGithub(
            credential.text,
            body.toString(),
          ),
        },
        body,
        id: `form-${n}`,
        type: "push",
      };
    },
    signature: ["x-hub-signature-256"],
  },
  {
    name: "twilio",
    scheme: "twilio",
    credential: textCredential,
    isUrlSigned: true,
    deliver({ credential, n, url }) {
      const fields = {
        MessageSid: `SM${n}`,
        MessageStatus: "delivered",
        To: "+15550100",
        Body: "a+b & c=ü",
      };
      const body = form(fields);
      const signature = twilio.getExpectedTwilioSignature(
        credential.text,
        url,
        fields,
      );
      return {
        headers: { ...FORM_TYPE, "x-twilio-signature": signature },
        body,
        id: withDigest(`SM${n}`, body),
        type: "delivered",
      };
    },
    signature: ["x-twilio-signature"],
  },
  {
    name: "twilio-json",
    scheme: "twilio",
    credential: textCredential,
    isUrlSigned: true,
    deliver({ credential, n, url }) {
      const body = json({ MessageStatus: "sent", n });
      const signed = twilioUrl(url, body);
      const signature = twilio.getExpectedTwilioSignature(
        credential.text,
        signed,
        {},
      );
      return {
        headers: { ...JSON_TYPE, "x-twilio-signature": signature },
        query: new URL(signed).search,
        body,
        id: null,
        type: "event",
      };
    },
    signature: ["x-twilio-signature"],
  },
];
