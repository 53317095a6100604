import type { Source } from "../domain/source.ts";
import { networkFault, UsageError } from "../errors.ts";
import { variantsOf } from "../signature/compiled-scheme.ts";
import { signHeaders } from "../signature/sign.ts";
import { currentKey } from "./source.ts";

export const TAMPERINGS = ["body", "signature", "timestamp"] as const;
export type Tampering = (typeof TAMPERINGS)[number];

/** A signed test delivery. It can be sent several times. */
export interface SignedDelivery {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** The response to a delivery. With `status` 0 there was no response, and `text` says why. */
export interface DeliveryResponse {
  readonly status: number;
  readonly text: string;
  readonly durationMs: number;
}

/** Signs a body as a sender of this source does. `timestamp` in unix seconds. */
export function signDelivery(
  source: Source,
  body: Buffer,
  timestamp: number,
): SignedDelivery {
  return {
    body,
    headers: {
      "content-type": "application/json",
      ...signHeaders(source.scheme, currentKey(source), body, timestamp),
    },
  };
}

/** Returns the delivery with one part changed after signing. */
export function tamper(
  source: Source,
  delivery: SignedDelivery,
  part: Tampering,
): SignedDelivery {
  const [variant] = variantsOf(source.scheme);
  const [signatureHeader = ""] = variant?.signatureHeaders ?? [];
  const from = variant?.scheme.timestamp?.from;
  const timestampHeader =
    from !== undefined && "header" in from ? from.header : null;
  const { headers, body } = delivery;
  switch (part) {
    case "body":
      return { headers, body: Buffer.concat([body, Buffer.from(" ")]) };
    case "signature": {
      const signature = headers[signatureHeader] ?? "";
      const last = signature.endsWith("0") ? "1" : "0";
      return {
        body,
        headers: {
          ...headers,
          [signatureHeader]: signature.slice(0, -1) + last,
        },
      };
    }
    case "timestamp":
      if (timestampHeader === null) {
        throw new UsageError(
          `--tamper timestamp: the scheme ${source.scheme.name} has no timestamp`,
        );
      }
      return {
        body,
        headers: {
          ...headers,
          [timestampHeader]: String(Number(headers[timestampHeader]) + 1),
        },
      };
  }
}

/** Sends a delivery over HTTP. Never throws: a network error is a response of status 0. */
export async function send(
  url: string,
  { headers, body }: SignedDelivery,
): Promise<DeliveryResponse> {
  const startedAt = performance.now();
  const elapsed = (): number => Math.round(performance.now() - startedAt);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers,
      body: new Uint8Array(body),
      redirect: "manual",
    });
    const text = await response.text();
    return { status: response.status, text, durationMs: elapsed() };
  } catch (thrown) {
    return { status: 0, text: networkFault(thrown), durationMs: elapsed() };
  }
}

/** Returns the `status` or the `code` in the JSON of a response. Returns the beginning of a text that is not JSON. */
export function verdictOf({ text }: DeliveryResponse): string {
  try {
    const { status, code } = JSON.parse(text) as {
      status?: unknown;
      code?: unknown;
    };
    return typeof code === "string" ? code : String(status);
  } catch {
    return text.slice(0, 60);
  }
}
