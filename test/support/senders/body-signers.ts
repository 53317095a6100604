import {
  hmac,
  json,
  JSON_TYPE,
  type Sender,
  textCredential,
  withDigest,
} from "./sender.ts";

/* Senders that sign the body and nothing else, by their documentation. */

interface BodySigner {
  readonly name: string;
  readonly scheme?: string;
  readonly algorithm?: "sha1" | "sha256" | "sha512";
  readonly encoding: "hex" | "base64";
  readonly header: string;
  readonly prefix?: string;
  readonly body: (n: number) => Buffer;
  readonly headers?: (n: number) => Readonly<Record<string, string>>;
  /** Absent if a message has no id. */
  readonly id?: (n: number, body: Buffer) => string;
  readonly type: string;
  readonly wantsEmptyResponses?: true;
}

function bodySigner(signer: BodySigner): Sender {
  const { name, scheme = name, algorithm = "sha256", encoding } = signer;
  const { header, prefix = "", body: bodyOf, headers, id, type } = signer;
  return {
    name,
    scheme,
    credential: textCredential,
    deliver({ credential, n }) {
      const body = bodyOf(n);
      const mac = hmac(algorithm, credential, body).toString(encoding);
      return {
        headers: {
          ...JSON_TYPE,
          ...headers?.(n),
          [header]: `${prefix}${mac}`,
        },
        body,
        id: id?.(n, body) ?? null,
        type,
      };
    },
    signature: [header],
    ...(signer.wantsEmptyResponses ? { wantsEmptyResponses: true } : {}),
  };
}

const TABLE: readonly BodySigner[] = [
  {
    name: "hex-body",
    encoding: "hex",
    header: "x-hex-signature",
    body: (n) => json({ id: `evt_${n}`, type: "resource.created" }),
    id: (n) => `evt_${n}`,
    type: "resource.created",
  },
  {
    name: "shopify",
    encoding: "base64",
    header: "x-shopify-hmac-sha256",
    body: (n) => json({ id: n, total_price: "10.00" }),
    headers: (n) => ({
      "x-shopify-webhook-id": `shopify-${n}`,
      "x-shopify-topic": "orders/create",
    }),
    id: (n) => `shopify-${n}`,
    type: "orders/create",
  },
  {
    name: "shopify-new-names",
    scheme: "shopify",
    encoding: "base64",
    header: "shopify-hmac-sha256",
    body: (n) => json({ id: n, total_price: "10.00" }),
    headers: (n) => ({
      "shopify-webhook-id": `renamed-${n}`,
      "shopify-topic": "orders/paid",
    }),
    id: (n) => `renamed-${n}`,
    type: "orders/paid",
  },
  {
    name: "pagerduty",
    encoding: "hex",
    header: "x-pagerduty-signature",
    prefix: "v1=",
    body: (n) =>
      json({ event: { id: `PD${n}`, event_type: "incident.triggered" } }),
    id: (n) => `PD${n}`,
    type: "incident.triggered",
  },
  {
    name: "intercom",
    algorithm: "sha1",
    encoding: "hex",
    header: "x-hub-signature",
    prefix: "sha1=",
    body: (n) =>
      json({
        type: "notification_event",
        topic: "user.created",
        id: `notif_${n}`,
      }),
    id: (n) => `notif_${n}`,
    type: "user.created",
  },
  {
    name: "typeform",
    encoding: "base64",
    header: "typeform-signature",
    prefix: "sha256=",
    body: (n) =>
      json({ event_id: `01TYPEFORM${n}`, event_type: "form_response" }),
    id: (n) => `01TYPEFORM${n}`,
    type: "form_response",
  },
  {
    name: "line",
    encoding: "base64",
    header: "x-line-signature",
    body: (n) =>
      json({
        destination: "U1",
        events: [{ type: "message", webhookEventId: `LINE${n}` }],
      }),
    type: "event",
  },
  {
    name: "vercel",
    algorithm: "sha1",
    encoding: "hex",
    header: "x-vercel-signature",
    body: (n) =>
      json({ id: `uev_${n}`, type: "deployment.created", payload: {} }),
    id: (n) => `uev_${n}`,
    type: "deployment.created",
  },
  {
    name: "gitea",
    encoding: "hex",
    header: "x-gitea-signature",
    body: (n) => json({ ref: "refs/heads/main", after: `gitea${n}` }),
    headers: (n) => ({
      "x-gitea-delivery": `gitea-${n}`,
      "x-gitea-event": "push",
    }),
    id: (n) => `gitea-${n}`,
    type: "push",
  },
  {
    name: "forgejo",
    scheme: "gitea",
    encoding: "hex",
    header: "x-forgejo-signature",
    body: (n) => json({ ref: "refs/heads/main", after: `forgejo${n}` }),
    headers: (n) => ({
      "x-forgejo-delivery": `forgejo-${n}`,
      "x-forgejo-event": "create",
    }),
    id: (n) => `forgejo-${n}`,
    type: "create",
  },
  {
    name: "meta",
    encoding: "hex",
    header: "x-hub-signature-256",
    prefix: "sha256=",
    body: (n) =>
      json({
        object: "page",
        entry: [{ id: n, changes: [{ field: "feed" }] }],
      }),
    type: "feed",
  },
  {
    name: "jira",
    encoding: "hex",
    header: "x-hub-signature",
    prefix: "sha256=",
    body: (n) => json({ webhookEvent: "jira:issue_created", n }),
    headers: (n) => ({ "x-atlassian-webhook-identifier": `jira-${n}` }),
    id: (n) => `jira-${n}`,
    type: "jira:issue_created",
  },
  {
    name: "bitbucket",
    encoding: "hex",
    header: "x-hub-signature",
    prefix: "sha256=",
    body: (n) => json({ repository: { name: "r" }, push: { n } }),
    headers: (n) => ({
      "x-request-uuid": `bitbucket-${n}`,
      "x-event-key": "repo:push",
    }),
    id: (n) => `bitbucket-${n}`,
    type: "repo:push",
  },
  {
    name: "bitbucket-data-center",
    scheme: "bitbucket",
    encoding: "hex",
    header: "x-hub-signature",
    prefix: "sha256=",
    body: (n) => json({ eventKey: "pr:opened", pullRequest: { n } }),
    headers: (n) => ({
      "x-request-id": `data-center-${n}`,
      "x-event-key": "pr:opened",
    }),
    id: (n) => `data-center-${n}`,
    type: "pr:opened",
  },
  {
    name: "notion",
    encoding: "hex",
    header: "x-notion-signature",
    prefix: "sha256=",
    body: (n) => json({ id: `notion-${n}`, type: "page.created" }),
    id: (n) => `notion-${n}`,
    type: "page.created",
  },
  {
    name: "sentry",
    encoding: "hex",
    header: "sentry-hook-signature",
    body: (n) => json({ action: "created", data: { issue: { id: n } } }),
    headers: (n) => ({
      "request-id": `sentry-${n}`,
      "sentry-hook-resource": "issue",
      "sentry-hook-timestamp": "1",
    }),
    id: (n) => `sentry-${n}`,
    type: "issue",
  },
  {
    name: "woocommerce",
    encoding: "base64",
    header: "x-wc-webhook-signature",
    body: (n) => json({ id: n, status: "processing" }),
    headers: (n) => ({
      "x-wc-webhook-delivery-id": `wc-${n}`,
      "x-wc-webhook-topic": "order.created",
    }),
    id: (n, body) => withDigest(`wc-${n}`, body),
    type: "order.created",
  },
  {
    name: "razorpay",
    encoding: "hex",
    header: "x-razorpay-signature",
    body: (n) => json({ event: "payment.captured", payload: { n } }),
    headers: (n) => ({ "x-razorpay-event-id": `razorpay-${n}` }),
    id: (n) => `razorpay-${n}`,
    type: "payment.captured",
  },
  {
    name: "xero",
    encoding: "base64",
    header: "x-xero-signature",
    body: (n) =>
      json({ events: [], firstEventSequence: n, lastEventSequence: n }),
    type: "event",
    wantsEmptyResponses: true,
  },
  {
    name: "docusign",
    encoding: "base64",
    header: "x-docusign-signature-1",
    body: (n) => json({ event: "envelope-sent", data: { n } }),
    type: "envelope-sent",
  },
  {
    name: "gocardless",
    encoding: "hex",
    header: "webhook-signature",
    body: (n) =>
      json({ events: [{ id: `EV${n}`, resource_type: "payments" }] }),
    type: "event",
  },
  {
    name: "coinbase-commerce",
    encoding: "hex",
    header: "x-cc-webhook-signature",
    body: (n) =>
      json({
        id: `hook_${n}`,
        attempt_number: 1,
        event: { id: `cc_${n}`, type: "charge:created" },
      }),
    id: (n) => `cc_${n}`,
    type: "charge:created",
  },
];

export const BODY_SIGNERS: readonly Sender[] = TABLE.map(bodySigner);
