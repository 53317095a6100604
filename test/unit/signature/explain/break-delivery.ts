import type { Scheme } from "../../../../src/domain/scheme.ts";
import type { SigningSecret, Source } from "../../../../src/domain/source.ts";
import type { SignedMessage } from "../../../../src/signature/message.ts";
import { schemeOf } from "../../../../src/signature/schemes.ts";
import { signRequest } from "../../../../src/signature/sign.ts";
import { signingSecret, testSource } from "../../../support/fixtures.ts";
import { SENDERS } from "../../../support/senders/senders.ts";
import type { Credential } from "../../../support/senders/sender.ts";

/** The sender's clock, in unix milliseconds. */
export const AT = 1_795_695_800_000;

export const PUBLIC_URL = "https://hooks.example.com/webhooks/source";

/** A message that a source does not accept, with all that an operator knows of it. */
export interface Broken {
  readonly source: Source;
  readonly message: SignedMessage;
  /** The other configured sources. */
  readonly others?: readonly Source[];
  /** The URL that the operator gives. */
  readonly url?: string;
  /** Headers that were sent twice. */
  readonly repeated?: readonly string[];
  /** The clock of the check, in unix milliseconds. */
  readonly now?: number;
}

/** How a sender signs, where it differs from what the source expects. */
export interface Signing {
  /** The scheme that it signs by. */
  readonly as?: Scheme;
  readonly secret?: string;
  readonly key?: Buffer;
  readonly at?: number;
  readonly url?: string;
  readonly contentType?: string;
}

export const credentialOf = (scheme: string, seed = "source"): Credential => {
  const sender = SENDERS.find((one) => one.scheme === scheme);
  if (sender === undefined) {
    throw new Error(`there is no test sender of ${scheme}`);
  }
  return sender.credential(seed);
};

/** Returns a source of a scheme as the configuration creates it. */
export function sourceOf(
  scheme: string,
  settings: Partial<Source> & { seed?: string } = {},
): Source {
  const { seed, ...rest } = settings;
  const description = schemeOf(scheme);
  const { text } = credentialOf(scheme, seed);
  return testSource({
    name: scheme,
    scheme: description,
    secrets: [signingSecret(description, text)],
    publicUrl: PUBLIC_URL,
    ...rest,
  });
}

export const EVENT =
  '{"id":"evt_1","event_id":"evt_1","type":"invoice.paid","note":"Zoë <a/b> & co","n":[1,2]}';

/** Returns a genuine delivery of a body, signed by the sender's own rules where they are given. */
export function deliver(
  scheme: string,
  body: string | Buffer = EVENT,
  signing: Signing = {},
): Broken {
  const source = sourceOf(scheme);
  const { privateKey } = credentialOf(scheme);
  const as = signing.as ?? source.scheme;
  const [own] = source.secrets as readonly [SigningSecret];
  const secret =
    signing.secret === undefined ? own : signingSecret(as, signing.secret);
  const signed = signRequest(
    {
      scheme: as,
      secrets: [
        {
          ...secret,
          key: signing.key ?? secret.key,
          algorithm: signing.as?.algorithm ?? secret.algorithm,
        },
      ],
      publicUrl: null,
    },
    {
      body: Buffer.from(body),
      contentType: signing.contentType ?? "application/json",
      id: null,
      type: null,
      at: signing.at ?? AT,
      url: signing.url ?? PUBLIC_URL,
      privateKey: privateKey ?? undefined,
    },
  );
  return {
    source,
    message: {
      method: "POST",
      url: signed.url.replace(/^https?:\/\/[^/]*/, ""),
      headers: signed.headers,
      body: signed.body,
    },
  };
}

/** Replaces the body after it was signed. */
export function withBody(
  broken: Broken,
  change: string | Buffer | ((body: Buffer) => string | Buffer),
  headers: Readonly<Record<string, string>> = {},
): Broken {
  const { message } = broken;
  const body = Buffer.from(
    typeof change === "function" ? change(message.body) : change,
  );
  return {
    ...broken,
    message: { ...message, body, headers: { ...message.headers, ...headers } },
  };
}

/** Changes the headers after they were signed. A header is removed if it becomes undefined. */
export function withHeaders(
  broken: Broken,
  change: (
    headers: Readonly<Record<string, string>>,
  ) => Readonly<Record<string, string | undefined>>,
): Broken {
  const { message } = broken;
  const headers = message.headers as Readonly<Record<string, string>>;
  const changed = Object.entries({ ...headers, ...change(headers) }).filter(
    ([, value]) => value !== undefined,
  );
  return {
    ...broken,
    message: { ...message, headers: Object.fromEntries(changed) },
  };
}
