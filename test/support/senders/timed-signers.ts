import {
  FORM_TYPE,
  form,
  hmac,
  json,
  JSON_TYPE,
  seconds,
  type Sender,
  textCredential,
} from "./sender.ts";

/* Senders that sign the time before the body, by their documentation. */

interface TimedBody {
  readonly name: string;
  readonly scheme?: string;
  /** The text of the sender's clock. */
  readonly timestamp?: (at: number) => string;
  readonly before: (timestamp: string) => string;
  readonly body: (n: number) => Buffer;
  readonly headers: (
    timestamp: string,
    signature: string,
  ) => Readonly<Record<string, string>>;
  readonly signature: string;
  readonly time: string;
  readonly id?: (n: number) => string;
  readonly type: string;
}

/** A sender that signs a text with the time before the body, in hex. */
function timedBody(signer: TimedBody): Sender {
  const { name, scheme = name, timestamp = seconds, before } = signer;
  return {
    name,
    scheme,
    credential: textCredential,
    windowSeconds: 300,
    deliver({ credential, at, n }) {
      const body = signer.body(n);
      const time = timestamp(at);
      const mac = hmac("sha256", credential, before(time), body);
      return {
        headers: { ...JSON_TYPE, ...signer.headers(time, mac.toString("hex")) },
        body,
        id: signer.id?.(n) ?? null,
        type: signer.type,
      };
    },
    signature: [signer.signature],
    time: signer.time,
  };
}

const slackHeaders = (timestamp: string, signature: string) => ({
  "x-slack-request-timestamp": timestamp,
  "x-slack-signature": `v0=${signature}`,
});

const TABLE: readonly TimedBody[] = [
  {
    name: "hex",
    before: (timestamp) => `${timestamp}.`,
    body: (n) => json({ id: `evt_${n}`, type: "resource.created" }),
    headers: (timestamp, signature) => ({
      "x-hex-timestamp": timestamp,
      "x-hex-signature": signature,
    }),
    signature: "x-hex-signature",
    time: "x-hex-timestamp",
    id: (n) => `evt_${n}`,
    type: "resource.created",
  },
  {
    name: "slack",
    before: (timestamp) => `v0:${timestamp}:`,
    body: (n) =>
      json({
        type: "event_callback",
        event_id: `Ev${n}`,
        event: { type: "app_mention" },
      }),
    headers: slackHeaders,
    signature: "x-slack-signature",
    time: "x-slack-request-timestamp",
    id: (n) => `Ev${n}`,
    type: "app_mention",
  },
  {
    name: "slack-command",
    scheme: "slack",
    before: (timestamp) => `v0:${timestamp}:`,
    body: (n) => form({ command: "/deploy", text: `a+b ${n}` }),
    headers: (timestamp, signature) => ({
      ...slackHeaders(timestamp, signature),
      ...FORM_TYPE,
    }),
    signature: "x-slack-signature",
    time: "x-slack-request-timestamp",
    type: "event",
  },
  {
    name: "paddle",
    before: (timestamp) => `${timestamp}:`,
    body: (n) =>
      json({
        event_id: `evt_paddle_${n}`,
        event_type: "transaction.completed",
      }),
    headers: (timestamp, signature) => ({
      "paddle-signature": `ts=${timestamp};h1=${signature}`,
    }),
    signature: "paddle-signature",
    time: "paddle-signature",
    id: (n) => `evt_paddle_${n}`,
    type: "transaction.completed",
  },
  {
    name: "zoom",
    before: (timestamp) => `v0:${timestamp}:`,
    body: (n) => json({ event: "meeting.started", payload: { n } }),
    headers: (timestamp, signature) => ({
      "x-zm-request-timestamp": timestamp,
      "x-zm-signature": `v0=${signature}`,
    }),
    signature: "x-zm-signature",
    time: "x-zm-request-timestamp",
    type: "meeting.started",
  },
  {
    name: "calendly",
    before: (timestamp) => `${timestamp}.`,
    body: (n) => json({ event: "invitee.created", payload: { n } }),
    headers: (timestamp, signature) => ({
      "calendly-webhook-signature": `t=${timestamp},v1=${signature}`,
    }),
    signature: "calendly-webhook-signature",
    time: "calendly-webhook-signature",
    type: "invitee.created",
  },
  {
    name: "webflow",
    timestamp: String,
    before: (timestamp) => `${timestamp}:`,
    body: (n) => json({ triggerType: "form_submission", payload: { n } }),
    headers: (timestamp, signature) => ({
      "x-webflow-timestamp": timestamp,
      "x-webflow-signature": signature,
    }),
    signature: "x-webflow-signature",
    time: "x-webflow-timestamp",
    type: "form_submission",
  },
  {
    name: "workos",
    timestamp: String,
    before: (timestamp) => `${timestamp}.`,
    body: (n) => json({ id: `event_${n}`, event: "dsync.user.created" }),
    headers: (timestamp, signature) => ({
      "workos-signature": `t=${timestamp}, v1=${signature}`,
    }),
    signature: "workos-signature",
    time: "workos-signature",
    id: (n) => `event_${n}`,
    type: "dsync.user.created",
  },
];

export const TIMED_SIGNERS: readonly Sender[] = TABLE.map(timedBody);
