import { gzipSync } from "node:zlib";
import type { Cause } from "../../../../src/signature/explain/causes.ts";
import type { Scheme } from "../../../../src/domain/scheme.ts";
import { schemeOf } from "../../../../src/signature/schemes.ts";
import { FORM_TYPE } from "../../../support/senders/sender.ts";
import {
  AT,
  type Broken,
  credentialOf,
  deliver,
  EVENT,
  PUBLIC_URL,
  sourceOf,
  withBody,
  withHeaders,
} from "./break-delivery.ts";

/** A way to break a delivery. docs/verify-explain.md has a row for each, with the sentence that `verify --explain` prints. */
export interface Break {
  /** The first column of its row. */
  readonly broken: string;
  readonly causes: readonly Cause[];
  readonly make: () => Broken;
}

const text = (scheme: string): string => credentialOf(scheme).text;
const key = (scheme: string, change: (text: string) => string): Buffer =>
  Buffer.from(change(text(scheme)));
const scheme = (name: string, changes: Partial<Scheme>): Scheme => ({
  ...schemeOf(name),
  ...changes,
});
const FORM = "command=%2Fdeploy&text=a+b%2Bc&token=x";

const BODY: readonly Break[] = [
  {
    broken: "an editor adds a newline",
    causes: ["newline-added"],
    make: () => withBody(deliver("github"), (body) => `${body.toString()}\n`),
  },
  {
    broken: "a shell removes the last newline",
    causes: ["newline-removed"],
    make: () => withBody(deliver("stripe", `${EVENT}\n`), EVENT),
  },
  {
    broken: "a checkout converts LF to CRLF",
    causes: ["crlf"],
    make: () =>
      withBody(deliver("hex", '{\n"id":"1",\n"type":"t"\n}'), (body) =>
        body.toString().replaceAll("\n", "\r\n"),
      ),
  },
  {
    broken: "a tool converts CRLF to LF",
    causes: ["lf"],
    make: () =>
      withBody(deliver("shopify", '{\r\n"id":1\r\n}'), (body) =>
        body.toString().replaceAll("\r\n", "\n"),
      ),
  },
  {
    broken: "an editor adds a byte order mark",
    causes: ["bom-added"],
    make: () => withBody(deliver("hex"), (body) => `\ufeff${body.toString()}`),
  },
  {
    broken: "a decoder removes the byte order mark",
    causes: ["bom-removed"],
    make: () => withBody(deliver("gitea", `\ufeff${EVENT}`), EVENT),
  },
  {
    broken: "a framework trims the body",
    causes: ["space-trimmed"],
    make: () => withBody(deliver("typeform", `${EVENT} `), EVENT),
  },
  {
    broken: "a template adds spaces around the body",
    causes: ["space-added"],
    make: () => withBody(deliver("pagerduty"), `\n\n  ${EVENT}\n  `),
  },
  {
    broken: "a JSON parser and `JSON.stringify(body, null, 2)`",
    causes: ["reserialised"],
    make: () =>
      withBody(deliver("stripe"), (body) =>
        JSON.stringify(JSON.parse(body.toString()), null, 2),
      ),
  },
  {
    broken: "a JSON parser and `JSON.stringify`, after a sender in Python",
    causes: ["reserialised"],
    make: () =>
      withBody(deliver("sentry", '{"id": 1, "name": "Zo\\u00eb"}'), (body) =>
        JSON.stringify(JSON.parse(body.toString())),
      ),
  },
  {
    broken: "`json_encode` of PHP, which escapes slashes",
    causes: ["reserialised"],
    make: () =>
      withBody(deliver("woocommerce", '{"url":"https://a/b"}'), (body) =>
        body.toString().replaceAll("/", "\\/"),
      ),
  },
  {
    broken: "UTF-8 that is decoded as ISO-8859-1 and encoded again",
    causes: ["charset"],
    make: () =>
      withBody(deliver("paddle"), (body) =>
        Buffer.from(body.toString("latin1"), "utf8"),
      ),
  },
  {
    broken: "a body in ISO-8859-1 that a parser converts to UTF-8",
    causes: ["charset"],
    make: () =>
      withBody(deliver("vercel", Buffer.from(EVENT, "latin1")), EVENT),
  },
  {
    broken: "`>` of PowerShell writes UTF-16",
    causes: ["charset"],
    make: () =>
      withBody(deliver("calendly"), (body) =>
        Buffer.from(body.toString(), "utf16le"),
      ),
  },
  {
    broken: "a decoder replaces bytes that are not UTF-8",
    causes: ["characters-replaced"],
    make: () =>
      withBody(
        deliver("razorpay", Buffer.from('{"id":"\xff"}', "latin1")),
        (body) => body.toString("utf8"),
      ),
  },
  {
    broken: "a proxy compresses the request",
    causes: ["compressed"],
    make: () =>
      withBody(deliver("github"), (body) => gzipSync(body), {
        "content-encoding": "gzip",
      }),
  },
  {
    broken: "a framework decompresses a signed gzip body",
    causes: ["decompressed"],
    make: () =>
      withBody(deliver("xero", gzipSync(EVENT, { level: 1 })), EVENT, {
        "content-encoding": "gzip",
      }),
  },
  {
    broken: "a size limit cuts the body",
    causes: ["truncated"],
    make: () =>
      withBody(deliver("jira"), (body) => body.subarray(0, 40), {
        "content-length": String(Buffer.byteLength(EVENT)),
      }),
  },
  {
    broken: "a log cuts the body",
    causes: ["truncated"],
    make: () => withBody(deliver("jira"), (body) => body.subarray(0, 40)),
  },
  {
    broken: "a buffer is used beyond the Content-Length",
    causes: ["bytes-added"],
    make: () =>
      withBody(deliver("meta"), (body) => `${body.toString()}rest`, {
        "content-length": String(Buffer.byteLength(EVENT)),
      }),
  },
  {
    broken: "NUL bytes pad the body",
    causes: ["bytes-added"],
    make: () => withBody(deliver("meta"), (body) => `${body.toString()}\0\0`),
  },
  {
    broken: "a body parser consumes the stream first",
    causes: ["body-empty"],
    make: () => withBody(deliver("intercom"), ""),
  },
  {
    broken: "the sender signs before it sets the body",
    causes: ["empty-signed"],
    make: () => withBody(deliver("gitea", ""), EVENT),
  },
  {
    broken: "a parsed object is converted to text",
    causes: ["body-object"],
    make: () => withBody(deliver("notion"), "[object Object]"),
  },
  {
    broken: "a gateway encodes the body in base64",
    causes: ["body-encoded"],
    make: () => withBody(deliver("discord"), (body) => body.toString("base64")),
  },
  {
    broken: "the event of an AWS Lambda is taken as the body",
    causes: ["body-encoded"],
    make: () =>
      withBody(deliver("slack"), (body) =>
        JSON.stringify({ headers: {}, body: body.toString() }),
      ),
  },
  {
    broken: "the body is serialised a second time",
    causes: ["body-encoded"],
    make: () =>
      withBody(deliver("line"), (body) => JSON.stringify(body.toString())),
  },
  {
    broken: "a capture keeps the chunk sizes",
    causes: ["body-encoded"],
    make: () =>
      withBody(deliver("twitch"), (body) =>
        Buffer.concat([
          Buffer.from(`${body.length.toString(16)}\r\n`),
          body,
          Buffer.from("\r\n0\r\n\r\n"),
        ]),
      ),
  },
  {
    broken: "a form parser encodes the fields again",
    causes: ["form-reencoded"],
    make: () =>
      withBody(
        deliver("slack", FORM, { contentType: FORM_TYPE["content-type"] }),
        FORM.replaceAll("+", "%20"),
      ),
  },
  {
    broken: "only the field `payload` of a form is passed on",
    causes: ["form-reencoded"],
    make: () =>
      withBody(
        deliver("github", `payload=${encodeURIComponent(EVENT)}`, {
          contentType: FORM_TYPE["content-type"],
        }),
        EVENT,
      ),
  },
];

const SECRET: readonly Break[] = [
  {
    broken: "`echo` passes the secret on with a newline",
    causes: ["secret-newline"],
    make: () =>
      deliver("stripe", EVENT, { key: key("stripe", (one) => `${one}\n`) }),
  },
  {
    broken: "a space is copied with the secret",
    causes: ["secret-space"],
    make: () =>
      deliver("github", EVENT, { key: key("github", (one) => `${one} `) }),
  },
  {
    broken: "an environment file keeps the quotes",
    causes: ["secret-quotes"],
    make: () =>
      deliver("shopify", EVENT, { key: key("shopify", (one) => `"${one}"`) }),
  },
  {
    broken: "the prefix `whsec_` of Stripe's secret is cut off",
    causes: ["secret-prefix"],
    make: () =>
      deliver("stripe", EVENT, { key: key("stripe", (one) => one.slice(6)) }),
  },
  {
    broken: "Stripe's secret is decoded from base64",
    causes: ["secret-base64"],
    make: () =>
      deliver("stripe", EVENT, {
        key: Buffer.from(text("stripe").slice(6), "base64"),
      }),
  },
  {
    broken: "a `whsec_` secret of Standard Webhooks is used as text",
    causes: ["secret-text"],
    make: () =>
      deliver("standard-webhooks", EVENT, {
        key: key("standard-webhooks", (one) => one),
      }),
  },
  {
    broken: "a secret of hex digits is decoded",
    causes: ["secret-hex"],
    make: () =>
      deliver("gitea", EVENT, { key: Buffer.from(text("gitea"), "hex") }),
  },
  {
    broken: "the base64 text of the key is used as the secret",
    causes: ["secret-base64"],
    make: () =>
      deliver("xero", EVENT, {
        key: key("xero", (one) => Buffer.from(one).toString("base64")),
      }),
  },
  {
    broken: "capital letters of the secret are changed",
    causes: ["secret-case"],
    make: () =>
      deliver("sentry", EVENT, {
        key: key("sentry", (one) => one.toUpperCase()),
      }),
  },
  {
    broken: "a secret of no source",
    causes: ["unknown"],
    make: () =>
      deliver("gitea", EVENT, { secret: credentialOf("gitea", "other").text }),
  },
  {
    broken: "the secret of another source of the same scheme",
    causes: ["other-source-secret"],
    make: () => ({
      ...deliver("github", EVENT, {
        secret: credentialOf("github", "second").text,
      }),
      others: [sourceOf("github", { name: "second", seed: "second" })],
    }),
  },
  {
    broken: "the URL of another source is registered",
    causes: ["other-source"],
    make: () => ({
      ...deliver("jira"),
      source: sourceOf("bitbucket", { seed: "second" }),
      others: [sourceOf("jira")],
    }),
  },
  {
    broken: "the previous secret, after its overlap has ended",
    causes: ["secret-expired"],
    make: () => {
      const delivery = deliver("stripe");
      const secrets = delivery.source.secrets.map((secret) => ({
        ...secret,
        expiresAt: AT,
      }));
      return { ...delivery, source: { ...delivery.source, secrets } };
    },
  },
  {
    broken: "the source has no secret yet",
    causes: ["secret-missing"],
    make: () => ({
      ...deliver("github"),
      source: sourceOf("github", { secrets: [] }),
    }),
  },
];

const at = (publicUrl: string | null, delivery: Broken): Broken => ({
  ...delivery,
  source: { ...delivery.source, publicUrl },
});

const URLS: readonly Break[] = [
  {
    broken: "`publicUrl` has http, the sender calls https",
    causes: ["url-scheme"],
    make: () => at(PUBLIC_URL.replace("https", "http"), deliver("square")),
  },
  {
    broken: "`publicUrl` has the host of another environment",
    causes: ["url-host"],
    make: () =>
      withHeaders(
        at(PUBLIC_URL.replace("hooks", "staging"), deliver("twilio")),
        () => ({ host: "hooks.example.com" }),
      ),
  },
  {
    broken: "`publicUrl` has the port of the listener",
    causes: ["url-port"],
    make: () => at(PUBLIC_URL.replace(".com", ".com:3000"), deliver("square")),
  },
  {
    broken: "`publicUrl` lacks the path of a proxy",
    causes: ["url-path"],
    make: () => ({
      ...at(
        PUBLIC_URL,
        deliver("hubspot", EVENT, {
          url: "https://hooks.example.com/in/webhooks/source",
        }),
      ),
      url: "https://hooks.example.com/in/webhooks/source",
    }),
  },
  {
    broken: "`publicUrl` has a slash too many",
    causes: ["url-path"],
    make: () => at(`${PUBLIC_URL}/`, deliver("square")),
  },
  {
    broken: "a rewrite rule removes the query",
    causes: ["url-query"],
    make: () => {
      const url = `${PUBLIC_URL}?tenant=7`;
      const delivery = deliver("hubspot", EVENT, { url });
      return {
        ...delivery,
        message: { ...delivery.message, url: "/webhooks/source" },
        url,
      };
    },
  },
  {
    broken: "the source has no `publicUrl`",
    causes: ["url-missing"],
    make: () => at(null, deliver("square")),
  },
  {
    broken: "a redirect changes POST to GET",
    causes: ["method"],
    make: () => {
      const delivery = deliver("hubspot");
      return { ...delivery, message: { ...delivery.message, method: "GET" } };
    },
  },
];

const rename =
  (from: string, to: string) =>
  (headers: Readonly<Record<string, string>>) => ({
    [from]: undefined,
    [to]: headers[from],
  });

const rewrite =
  (name: string, change: (value: string) => string) =>
  (headers: Readonly<Record<string, string>>) => ({
    [name]: change(headers[name] ?? ""),
  });

const GITHUB = "x-hub-signature-256";

const HEADERS: readonly Break[] = [
  {
    broken: "a proxy removes the signature header",
    causes: ["signature-missing"],
    make: () => withHeaders(deliver("github"), () => ({ [GITHUB]: undefined })),
  },
  {
    broken: "CGI renames the headers",
    causes: ["header-renamed"],
    make: () =>
      withHeaders(
        deliver("stripe"),
        rename("stripe-signature", "http_stripe_signature"),
      ),
  },
  {
    broken: "the headers of `svix-` and `webhook-` are mixed",
    causes: ["header-renamed"],
    make: () =>
      withHeaders(
        deliver("standard-webhooks"),
        rename("webhook-id", "svix-id"),
      ),
  },
  {
    broken: "the signature is in quotes",
    causes: ["signature-quotes"],
    make: () =>
      withHeaders(
        deliver("github"),
        rewrite(GITHUB, (value) => `"${value}"`),
      ),
  },
  {
    broken: "the prefix `sha256=` is missing",
    causes: ["signature-prefix"],
    make: () =>
      withHeaders(
        deliver("github"),
        rewrite(GITHUB, (value) => value.slice(7)),
      ),
  },
  {
    broken: "a prefix that the scheme does not have",
    causes: ["signature-prefix"],
    make: () =>
      withHeaders(
        deliver("hex"),
        rewrite("x-hex-signature", (value) => `sha256=${value}`),
      ),
  },
  {
    broken: "the pair `v0=` instead of `v1=`",
    causes: ["signature-prefix"],
    make: () =>
      withHeaders(
        deliver("stripe"),
        rewrite("stripe-signature", (value) => value.replace("v1=", "v0=")),
      ),
  },
  {
    broken: "pairs separated by commas instead of semicolons",
    causes: ["signature-prefix"],
    make: () =>
      withHeaders(
        deliver("paddle"),
        rewrite("paddle-signature", (value) => value.replace(";", ",")),
      ),
  },
  {
    broken: "base64 instead of hex",
    causes: ["signature-encoding"],
    make: () =>
      withHeaders(
        deliver("hex"),
        rewrite("x-hex-signature", (value) =>
          Buffer.from(value, "hex").toString("base64"),
        ),
      ),
  },
  {
    broken: "hex instead of base64",
    causes: ["signature-encoding"],
    make: () =>
      withHeaders(
        deliver("shopify"),
        rewrite("x-shopify-hmac-sha256", (value) =>
          Buffer.from(value, "base64").toString("hex"),
        ),
      ),
  },
  {
    broken: "base64 without padding",
    causes: ["signature-encoding"],
    make: () =>
      withHeaders(
        deliver("xero"),
        rewrite("x-xero-signature", (value) => value.replace("=", "")),
      ),
  },
  {
    broken: "both: base64 instead of hex, and no prefix",
    causes: ["signature-prefix", "signature-encoding"],
    make: () =>
      withHeaders(
        deliver("github"),
        rewrite(GITHUB, (value) =>
          Buffer.from(value.slice(7), "hex").toString("base64"),
        ),
      ),
  },
  {
    broken: "a signature that was not copied completely",
    causes: ["signature-malformed"],
    make: () =>
      withHeaders(
        deliver("github"),
        rewrite(GITHUB, (value) => value.slice(0, -1)),
      ),
  },
  {
    broken: "17 signatures in one header",
    causes: ["signatures-too-many"],
    make: () =>
      withHeaders(
        deliver("stripe"),
        rewrite("stripe-signature", (value) =>
          [value, ...Array.from({ length: 16 }, () => "v1=00")].join(),
        ),
      ),
  },
  {
    broken: "the timestamp header is missing",
    causes: ["timestamp-missing"],
    make: () =>
      withHeaders(deliver("hex"), () => ({ "x-hex-timestamp": undefined })),
  },
  {
    broken: "the timestamp is not a number",
    causes: ["timestamp-malformed"],
    make: () =>
      withHeaders(deliver("hex"), () => ({ "x-hex-timestamp": "yesterday" })),
  },
  {
    broken: "the sender signs milliseconds instead of seconds",
    causes: ["timestamp-unit"],
    make: () =>
      deliver("slack", EVENT, {
        as: scheme("slack", {
          timestamp: { ...schemeOf("slack").timestamp!, unit: "ms" },
        }),
      }),
  },
  {
    broken: "the sender signs seconds instead of milliseconds",
    causes: ["timestamp-unit"],
    make: () =>
      deliver("webflow", EVENT, {
        as: scheme("webflow", {
          timestamp: { ...schemeOf("webflow").timestamp!, unit: "s" },
        }),
      }),
  },
  {
    broken: "a proxy rewrites the timestamp as milliseconds",
    causes: ["timestamp-unit"],
    make: () =>
      withHeaders(
        deliver("hex"),
        rewrite("x-hex-timestamp", (value) => `${value}000`),
      ),
  },
  {
    broken: "the header with the signed id is missing",
    causes: ["id-missing"],
    make: () =>
      withHeaders(deliver("standard-webhooks"), () => ({
        "webhook-id": undefined,
      })),
  },
];

const SCHEMES: readonly Break[] = [
  {
    broken: "the header of another scheme",
    causes: ["other-scheme"],
    make: () => ({
      ...deliver("stripe", EVENT, {
        secret: credentialOf("stripe", "second").text,
      }),
      source: sourceOf("github"),
    }),
  },
  {
    broken: "another scheme with the same secret",
    causes: ["other-scheme"],
    make: () => ({
      ...deliver("hex-body"),
      source: {
        ...sourceOf("hex"),
        secrets: sourceOf("hex-body").secrets,
      },
    }),
  },
  {
    broken: "SHA-1 instead of SHA-256",
    causes: ["other-algorithm"],
    make: () =>
      deliver("gitea", EVENT, {
        as: scheme("gitea", { algorithm: "hmac-sha1" }),
      }),
  },
  {
    broken: "other signed bytes",
    causes: ["other-signed-bytes"],
    make: () =>
      deliver("paddle", EVENT, {
        as: scheme("paddle", { signed: "{timestamp}.{body}" }),
      }),
  },
  {
    broken: "two changes: a newline after the body, and one in the secret",
    causes: ["secret-newline", "newline-added"],
    make: () =>
      withBody(
        deliver("github", EVENT, { key: key("github", (one) => `${one}\n`) }),
        (body) => `${body.toString()}\n`,
      ),
  },
];

const TIME: readonly Break[] = [
  {
    broken: "an old request, or one that is sent again",
    causes: ["stale"],
    make: () => ({ ...deliver("stripe"), now: AT + 1_000_000 }),
  },
  {
    broken: "the sender's clock is fast",
    causes: ["future"],
    make: () => ({ ...deliver("zoom"), now: AT - 600_000 }),
  },
  {
    broken: "the sender takes local time for UTC",
    causes: ["time-zone"],
    make: () => ({ ...deliver("twitch"), now: AT - 7_200_000 }),
  },
  {
    broken: "the body has no id, which `hex` requires",
    causes: ["payload"],
    make: () => deliver("hex", '{"type":"t"}'),
  },
  {
    broken: "an interaction of Discord, not an event",
    causes: ["interaction"],
    make: () => deliver("discord", '{"id":"1","type":2}'),
  },
  {
    broken: "another `hub.verify_token` in the handshake of Meta",
    causes: ["handshake"],
    make: () => ({
      source: sourceOf("meta"),
      message: {
        method: "GET",
        url: "/webhooks/meta?hub.mode=subscribe&hub.challenge=1&hub.verify_token=x",
        headers: {},
        body: Buffer.alloc(0),
      },
    }),
  },
  {
    broken: "the signature header is sent twice",
    causes: ["header-repeated"],
    make: () => ({ ...deliver("github"), repeated: [GITHUB] }),
  },
];

/** By the heading of their table. */
export const BREAKS: Readonly<Record<string, readonly Break[]>> = {
  "The body": BODY,
  "The secret": SECRET,
  "The URL and the method": URLS,
  "The headers": HEADERS,
  "The scheme": SCHEMES,
  "The time and the message": TIME,
};
