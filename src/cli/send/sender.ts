import type { KeyObject } from "node:crypto";
import type { Source } from "../../domain/source.ts";
import { networkFault, UsageError } from "../../errors.ts";
import {
  SignError,
  type SignedRequest,
  signRequest,
} from "../../signature/sign.ts";

/** A message before it is signed. */
export interface TestMessage {
  readonly body: Buffer;
  readonly contentType: string;
  /** The event id; null: what the body has. */
  readonly id: string | null;
  /** The event type; null: what the body has. */
  readonly type: string | null;
}

/** The response to a delivery. With `status` 0 there was no response, and `text` says why. */
export interface DeliveryResponse {
  readonly status: number;
  readonly text: string;
  readonly durationMs: number;
}

/** Signs a message as a sender of this source does. Throws UsageError if that is not possible. */
export function signDelivery(
  source: Source,
  message: TestMessage,
  options: {
    /** Unix milliseconds. */
    at: number;
    /** Where the delivery is sent. */
    url: string;
    privateKey?: KeyObject | undefined;
  },
): SignedRequest {
  try {
    return signRequest(source, { ...message, ...options });
  } catch (thrown) {
    if (!(thrown instanceof SignError)) {
      throw thrown;
    }
    const isPublic = source.secrets[0]?.publicKey !== null;
    const advice =
      isPublic && options.privateKey === undefined
        ? ": name its file with --private-key"
        : "";
    throw new UsageError(
      `cannot sign for source ${source.name}: ${thrown.message}${advice}`,
    );
  }
}

/** Sends a delivery over HTTP. Never throws: a network error is a response of status 0. */
export async function send({
  url,
  headers,
  body,
}: SignedRequest): Promise<DeliveryResponse> {
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
export function verdictOf(response: DeliveryResponse): string {
  const { status, code } = membersOf(response);
  return (
    [code, status].find((one) => typeof one === "string") ??
    response.text.slice(0, 60)
  );
}

/** Returns the id that the response confirms; null if it confirms none. */
export function confirmedIdOf(response: DeliveryResponse): string | null {
  const { id } = membersOf(response);
  return typeof id === "string" ? id : null;
}

function membersOf({ text }: DeliveryResponse): {
  readonly status?: unknown;
  readonly code?: unknown;
  readonly id?: unknown;
} {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}
