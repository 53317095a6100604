import type { RecordOutcome } from "../domain/event.ts";
import type { Source } from "../domain/source.ts";
import { hash as digest } from "node:crypto";
import type { AuditLimiters } from "../audit/audit-limiter.ts";
import type { AuditDraft, AuditMetadata } from "../audit/entry.ts";
import {
  handshakeEntry,
  recordedEntry,
  rejectedEntry,
  sourceUserId,
  type WebhookRequest,
} from "../audit/webhook-entries.ts";
import { judgeWindow, skewSeconds } from "../domain/replay-window.ts";
import { PROBLEMS, type ProblemCode } from "../errors.ts";
import {
  type HandshakeResponse,
  unsignedHandshake,
  verifiedHandshake,
} from "../signature/handshakes.ts";
import { headerOf, type SignedMessage } from "../signature/message.ts";
import { verify } from "../signature/verify.ts";
import type { EventStore } from "../store/port.ts";
import type { Emit } from "../telemetry/happening.ts";
import { recordInSpan } from "../telemetry/traces.ts";
import type { createRouter } from "./routing.ts";

/** A request for a known source, with its complete body. */
export interface UnverifiedMessage extends SignedMessage {
  readonly source: Source;
  readonly requestId: string;
  /** The address that rejections are charged to. */
  readonly ip: string;
  /** The path, without the query. */
  readonly resource: string;
  /**
   * Returns the headers to store with the event, as JSON. `traceparent` replaces the sender's; null keeps it. Called only
   * after the signature is verified.
   */
  readonly storedHeaders: (traceparent: string | null) => string;
}

/** What a verified message shows about the sender's key and clock. */
export interface VerifiedMessage {
  readonly keyId: string;
  /** Undefined: the scheme signs no time. */
  readonly skewSeconds: number | undefined;
}

/** Confirms that the event is stored, from this message or from an earlier one. */
export interface Receipt {
  readonly status: "accepted" | "duplicate";
  /** `replayed`: the sender gets the same response as for a duplicate. */
  readonly outcome: "accepted" | "duplicate" | "replayed";
  readonly eventId: string;
  readonly verified: VerifiedMessage;
}

/** The rejection of a message. */
export interface IntakeRejection {
  readonly status: "rejected";
  readonly code: ProblemCode;
  /** Whether the rate limiter is charged. */
  readonly isCharged: boolean;
  /** Null: the message was not verified. Entries of unverified messages have a separate limiter. */
  readonly verified: VerifiedMessage | null;
  /**
   * Creates the audit entry that the caller must write, from the status of the response. Null if the entry is already
   * written.
   */
  readonly entry: ((status: number) => AuditDraft) | null;
}

/** The response to a handshake of the provider. Nothing is stored; the audit entry is written. */
export interface HandshakeReply {
  readonly status: "handshake";
  readonly response: HandshakeResponse;
  /** Null: the handshake was not signed. */
  readonly verified: VerifiedMessage | null;
}

export type Intake = (
  message: UnverifiedMessage,
) => Promise<Receipt | IntakeRejection | HandshakeReply>;

export interface IntakeDeps {
  readonly store: Pick<EventStore, "record">;
  /** Write the audit entries of replays and handshakes. */
  readonly auditLimiters: AuditLimiters;
  readonly route: ReturnType<typeof createRouter>;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly emit: Emit;
}

/**
 * Creates the intake. It verifies the signature, checks the replay window, reads id and type, routes the event and stores it
 * in one record. A receipt means that the event is durable. It also responds to handshakes. Rejects with `StoreError` if the
 * event, or the audit entry, could not be stored.
 */
export function createIntake(deps: IntakeDeps): Intake {
  const { store, auditLimiters, route } = deps;

  async function replyToHandshake(
    request: WebhookRequest,
    at: number,
    response: HandshakeResponse,
    verified: VerifiedMessage | null,
  ): Promise<HandshakeReply> {
    const { status } = response;
    const limiter =
      verified === null ? auditLimiters.unverified : auditLimiters.verified;
    await limiter.append(
      handshakeEntry(request, at, {
        keyId: verified?.keyId,
        status,
        skewSeconds: verified?.skewSeconds,
      }),
    );
    return { status: "handshake", response, verified };
  }

  return async (message) => {
    const now = deps.now();
    const { source, body } = message;
    const request: WebhookRequest = {
      requestId: message.requestId,
      source: source.name,
      scheme: source.scheme.name,
      ip: message.ip,
      resource: message.resource,
    };
    const unverified = (
      code: ProblemCode,
      metadata: { reason: string } & AuditMetadata,
    ): IntakeRejection => ({
      status: "rejected",
      code,
      isCharged: true,
      verified: null,
      entry: entryOf(request, message, now, { userId: "anonymous", metadata }),
    });

    const handshake = unsignedHandshake(source, message);
    if (handshake !== null) {
      if (!("response" in handshake)) {
        return unverified("unauthorized", handshake);
      }
      const { response, keyId } = handshake;
      const facts =
        keyId === undefined ? null : { keyId, skewSeconds: undefined };
      return replyToHandshake(request, now, response, facts);
    }

    const verification = verify(source, message, now);
    if (!verification.ok) {
      const { reason, keyId } = verification;
      return unverified(
        reason === "too_many_signatures" ? "bad_request" : "unauthorized",
        { reason, keyId },
      );
    }
    const { keyId, signedAt, id, type } = verification;
    const userId = sourceUserId(source.name);
    const skew = signedAt === null ? undefined : skewSeconds(now, signedAt);
    const verified: VerifiedMessage = { keyId, skewSeconds: skew };
    const refused = (
      code: ProblemCode,
      metadata: { reason: string } & AuditMetadata,
    ): IntakeRejection => ({
      status: "rejected",
      code,
      // An authentic message that is stale is charged like a forgery. Otherwise the 429s of a flood would show which messages
      // are authentic.
      isCharged: code === "unauthorized",
      verified,
      entry: entryOf(request, message, now, {
        userId,
        metadata: { ...verified, ...metadata },
      }),
    });

    if (skew !== undefined) {
      const reason = judgeWindow(skew, source.replayWindowSeconds);
      if (reason !== "inside") {
        // The entry has the event id, so that an operator who searches for the event finds this attempt.
        return refused("unauthorized", {
          reason,
          eventId: id ?? undefined,
          eventType: type ?? undefined,
        });
      }
    }
    if (id === null || type === null) {
      return refused("malformed_payload", { reason: "malformed_payload" });
    }
    const check = verifiedHandshake(source, message, keyId);
    if (check !== null) {
      return "response" in check
        ? replyToHandshake(request, now, check.response, verified)
        : refused("malformed_payload", check);
    }

    const deliveries = route({ source: source.name, type, body });
    const { outcome, id: eventId } = await recordInSpan(
      {
        ...request,
        traceparent: headerOf(message, "traceparent"),
        tracestate: headerOf(message, "tracestate"),
        eventType: type,
      },
      (traceparent) =>
        store.record({
          event: {
            source: source.name,
            id,
            type,
            receivedAt: now,
            contentType: headerOf(message, "content-type"),
            headers: message.storedHeaders(traceparent),
            body,
            idSigned: verification.idSigned,
          },
          deliveries,
          claim: {
            signedAt,
            replayKey: verification.replayKey,
            coversKey: verification.coversKey,
            sharedWith: source.sharesSecretWith,
          },
          request: { ...request, ...verified },
        }),
      (recorded) => statusOf(respondTo(recorded.outcome, source)),
    );
    if (outcome === "accepted" && deliveries.length === 0) {
      deps.emit({
        type: "event.unrouted",
        source: source.name,
        eventType: type,
      });
    }
    const response = respondTo(outcome, source);
    if (outcome === "replayed" || outcome === "replayed_conflict") {
      await auditLimiters.verified.append(
        recordedEntry(request, now, {
          outcome,
          status: statusOf(response),
          keyId,
          eventId,
          eventType: type,
          bodySha256: digest("sha256", body, "hex"),
          bodyBytes: body.length,
          skewSeconds: skew,
          deliveries: 0,
        }),
      );
    }
    return response.status === "rejected"
      ? { ...response, isCharged: false, verified, entry: null }
      : { ...response, eventId, verified };
  };
}

function respondTo(
  outcome: RecordOutcome,
  source: Source,
):
  | Pick<Receipt, "status" | "outcome">
  | Pick<IntakeRejection, "status" | "code"> {
  switch (outcome) {
    case "accepted":
    case "duplicate":
      return { status: outcome, outcome };
    case "replayed":
      return source.onReplay === "acknowledge"
        ? { status: "duplicate", outcome }
        : { status: "rejected", code: "replayed" };
    case "replayed_conflict":
      // Nothing of this body is stored. After a 200 the sender would not send it again, and the event would be lost.
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

/** Returns a function that creates the audit entry of a rejected message, for the status of the response. */
function entryOf(
  request: WebhookRequest,
  { body }: UnverifiedMessage,
  at: number,
  facts: { userId: string; metadata: { reason: string } & AuditMetadata },
): (status: number) => AuditDraft {
  return (status) =>
    rejectedEntry(request, {
      at,
      userId: facts.userId,
      metadata: {
        bodySha256: digest("sha256", body, "hex"),
        bodyBytes: body.length,
        status,
        ...facts.metadata,
      },
    });
}
