import type { NewEvent, RecordOutcome } from "../domain/event.ts";
import type { Source } from "../domain/source.ts";
import { hash as digest } from "node:crypto";
import type { AuditLimiter } from "../audit/audit-limiter.ts";
import type { AuditAction, AuditDraft, AuditMetadata } from "../audit/entry.ts";
import { judgeWindow, skewSeconds } from "../domain/replay-window.ts";
import { PROBLEMS, type ProblemCode } from "../errors.ts";
import type { SignedMessage } from "../signature/message.ts";
import { verify } from "../signature/verify.ts";
import type { EventStore } from "../store/port.ts";
import type { createRouter } from "./routing.ts";

/** A request for a known source whose body was read whole. */
export interface UnverifiedMessage extends SignedMessage {
  readonly source: Source;
  readonly requestId: string;
  /** The address that rejections are charged to. */
  readonly ip: string;
  /** The path, without the query. */
  readonly resource: string;
  /** The headers to keep with the event, as JSON; called only once the signature is verified. */
  readonly storedHeaders: () => string;
}

/** The message is stored, now or before. */
export interface Receipt {
  readonly status: "accepted" | "duplicate";
  readonly eventId: string;
}

/** The message is rejected. */
export interface IntakeRejection {
  readonly status: "rejected";
  readonly code: ProblemCode;
  /** Whether the rate limiter is charged. */
  readonly isCharged: boolean;
  /** Whether the message was verified, which decides the limiter of its entry. */
  readonly isVerified: boolean;
  /** The entry still to be written, for the status of the response; null when it was committed with the record. */
  readonly entry: ((status: number) => AuditDraft) | null;
}

export interface IntakeDeps {
  readonly store: Pick<EventStore, "record">;
  /** Limits the entries of replays: they are committed with the record, or not written. */
  readonly replayEntries: Pick<AuditLimiter, "admits">;
  readonly route: ReturnType<typeof createRouter>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

const ACTIONS = {
  accepted: "webhook.accepted",
  duplicate: "webhook.duplicate",
  replayed: "webhook.replayed",
  conflict: "webhook.conflict",
  replayed_conflict: "webhook.replayed",
} as const satisfies Record<RecordOutcome, AuditAction>;

/**
 * Turns a request into a receipt: signature over the bytes, replay window, id and type, routing, one record.
 * A receipt means that the event is durable. Rejects with `StoreError` when it could not be written.
 */
export function createIntake(
  deps: IntakeDeps,
  options: { replayWindowSeconds: number },
): (message: UnverifiedMessage) => Promise<Receipt | IntakeRejection> {
  const { store, replayEntries, route } = deps;

  return async (message) => {
    const now = deps.now();
    const { source, body } = message;

    const verified = verify(source, message, now);
    if (!verified.ok) {
      const { reason, keyId } = verified;
      const userId = "anonymous";
      const facts = { reason, keyId };
      return {
        status: "rejected",
        code: "unauthorized",
        isCharged: true,
        isVerified: false,
        entry: rejectedEntry(message, now, userId, facts),
      };
    }
    const { keyId, signedAt, id, type, replayKey } = verified;
    const userId = `source:${source.name}`;

    const skew = signedAt === null ? undefined : skewSeconds(now, signedAt);
    if (skew !== undefined) {
      const reason = judgeWindow(skew, options.replayWindowSeconds);
      if (reason !== "inside") {
        return {
          status: "rejected",
          code: "unauthorized",
          // As for a forgery: otherwise a flood would tell the two apart.
          isCharged: true,
          isVerified: true,
          // With the id, so that an operator who looks for the event finds that it came, and when.
          entry: rejectedEntry(message, now, userId, {
            reason,
            keyId,
            eventId: id ?? undefined,
            eventType: type ?? undefined,
            skewSeconds: skew,
          }),
        };
      }
    }

    if (id === null || type === null) {
      const code = "malformed_payload";
      const facts = { reason: code, keyId, skewSeconds: skew };
      return {
        status: "rejected",
        code,
        isCharged: false,
        isVerified: true,
        entry: rejectedEntry(message, now, userId, facts),
      };
    }

    const deliveries = route({ source: source.name, type, body });
    const bodySha256 = digest("sha256", body, "buffer");
    const contentType = message.headers["content-type"];
    const event: NewEvent = {
      source: source.name,
      id,
      type,
      receivedAt: now,
      contentType: typeof contentType === "string" ? contentType : "",
      headers: message.storedHeaders(),
      body,
      bodySha256,
    };
    const entryOf = (outcome: RecordOutcome): AuditDraft =>
      webhookEntry(message, now, ACTIONS[outcome], userId, {
        keyId,
        eventId: id,
        eventType: type,
        bodySha256: bodySha256.toString("hex"),
        bodyBytes: body.length,
        status: statusOf(respondTo(outcome, source)),
        skewSeconds: skew,
        deliveries: outcome === "accepted" ? deliveries.length : undefined,
      });
    const outcome = await store.record({
      event,
      deliveries,
      claim: { signedAt, replayKey },
      entry: (decided) => {
        const draft = entryOf(decided);
        return draft.action === ACTIONS.replayed && !replayEntries.admits(draft)
          ? null
          : draft;
      },
    });
    const response = respondTo(outcome, source);
    return response.status === "rejected"
      ? { ...response, isCharged: false, isVerified: true, entry: null }
      : { ...response, eventId: id };
  };
}

function respondTo(
  outcome: RecordOutcome,
  source: Source,
): Pick<Receipt, "status"> | Pick<IntakeRejection, "status" | "code"> {
  switch (outcome) {
    case "accepted":
    case "duplicate":
      return { status: outcome };
    case "replayed":
      return source.onReplay === "acknowledge"
        ? { status: "duplicate" }
        : { status: "rejected", code: "replayed" };
    case "replayed_conflict":
      // Acknowledged, it would be lost: its sender takes a 200 for stored.
      return {
        status: "rejected",
        code:
          source.onReplay === "acknowledge" ? "event_id_conflict" : "replayed",
      };
    case "conflict":
      return { status: "rejected", code: "event_id_conflict" };
  }
}

function statusOf(response: ReturnType<typeof respondTo>): number {
  return response.status === "rejected" ? PROBLEMS[response.code].status : 200;
}

function rejectedEntry(
  message: UnverifiedMessage,
  at: number,
  userId: string,
  facts: { reason: string } & AuditMetadata,
): (status: number) => AuditDraft {
  return (status) =>
    webhookEntry(message, at, "webhook.rejected", userId, {
      bodySha256: digest("sha256", message.body, "hex"),
      bodyBytes: message.body.length,
      status,
      ...facts,
    });
}

function webhookEntry(
  message: UnverifiedMessage,
  at: number,
  action: AuditAction,
  userId: string,
  facts: AuditMetadata,
): AuditDraft {
  const isSuccess =
    action === "webhook.accepted" || action === "webhook.duplicate";
  return {
    at,
    action,
    userId,
    resource: message.resource,
    result: isSuccess ? "success" : "failure",
    metadata: {
      requestId: message.requestId,
      source: message.source.name,
      scheme: message.source.scheme,
      ip: message.ip,
      ...facts,
    },
  };
}
