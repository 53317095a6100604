import type { RecordOutcome } from "../domain/event.ts";
import { PROBLEMS } from "../errors.ts";
import type { AuditAction, AuditDraft, AuditMetadata } from "./entry.ts";

/** What every audit entry of a request to a source contains. */
export interface WebhookRequest {
  readonly requestId: string;
  readonly source: string;
  readonly scheme: string;
  readonly ip: string;
  /** The path, without the query. */
  readonly resource: string;
}

/** What the audit entries of a verified event contain in addition. */
export interface VerifiedFacts {
  readonly keyId: string;
  readonly eventId: string;
  readonly eventType: string;
  /** 64 hex digits. */
  readonly bodySha256: string;
  readonly bodyBytes: number;
  /** The difference between the signed time and the receiver's clock; undefined for a scheme that signs no time. */
  readonly skewSeconds: number | undefined;
}

const ACTIONS = {
  accepted: "webhook.accepted",
  duplicate: "webhook.duplicate",
  replayed: "webhook.replayed",
  conflict: "webhook.conflict",
  replayed_conflict: "webhook.replayed",
} as const satisfies Record<RecordOutcome, AuditAction>;

/** The statuses of the responses whose entries are written with the record. */
export const RECORDED_STATUSES = {
  accepted: 200,
  duplicate: 200,
  conflict: PROBLEMS.event_id_conflict.status,
} as const satisfies Partial<Record<RecordOutcome, number>>;

/** Returns the `userId` of a verified request. */
export function sourceUserId(source: string): string {
  return `source:${source}`;
}

/** Returns the audit entry for a recorded request. `deliveries`: the number of deliveries created with the event. */
export function recordedEntry(
  request: WebhookRequest,
  at: number,
  facts: VerifiedFacts & {
    outcome: RecordOutcome;
    status: number;
    deliveries: number;
  },
): AuditDraft {
  const { outcome, status, skewSeconds, deliveries } = facts;
  const { keyId, eventId, eventType, bodySha256, bodyBytes } = facts;
  return webhookEntry(request, {
    at,
    action: ACTIONS[outcome],
    userId: sourceUserId(request.source),
    metadata: {
      keyId,
      eventId,
      eventType,
      bodySha256,
      bodyBytes,
      status,
      skewSeconds,
      deliveries: outcome === "accepted" ? deliveries : undefined,
    },
  });
}

/** Returns the audit entry for a request that was rejected before it was recorded. */
export function rejectedEntry(
  request: WebhookRequest,
  facts: { at: number; userId: string; metadata: AuditMetadata },
): AuditDraft {
  return webhookEntry(request, { ...facts, action: "webhook.rejected" });
}

/** Returns the audit entry for a handshake. `keyId`: the secret or token that the provider proved; undefined = none. */
export function handshakeEntry(
  request: WebhookRequest,
  at: number,
  metadata: {
    keyId: string | undefined;
    status: number;
    skewSeconds: number | undefined;
  },
): AuditDraft {
  const isVerified = metadata.keyId !== undefined;
  return webhookEntry(request, {
    at,
    action: "webhook.handshake",
    userId: isVerified ? sourceUserId(request.source) : "anonymous",
    metadata,
  });
}

const SUCCESSES: readonly AuditAction[] = [
  "webhook.accepted",
  "webhook.duplicate",
  "webhook.handshake",
];

function webhookEntry(
  request: WebhookRequest,
  facts: Pick<AuditDraft, "at" | "action" | "userId" | "metadata">,
): AuditDraft {
  const { requestId, source, scheme, ip, resource } = request;
  const { at, action, userId, metadata } = facts;
  return {
    at,
    action,
    userId,
    resource,
    result: SUCCESSES.includes(action) ? "success" : "failure",
    metadata: { requestId, source, scheme, ip, ...metadata },
  };
}
