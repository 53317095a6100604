import { hash as digest } from "node:crypto";
import { PROBLEMS, type ProblemCode } from "../errors.ts";
import type { AuditAction, AuditDraft, AuditMetadata } from "../audit/entry.ts";
import type { RefusalEntries } from "../audit/budgeted-entries.ts";
import type { NewEvent, RecordOutcome, Source } from "../domain/model.ts";
import { readPayload } from "./payload.ts";
import type { RefusalBudget } from "./rate-limiter.ts";
import { judgeWindow, skewSeconds } from "./replay-window.ts";
import type { createRouter } from "./routing.ts";
import type { Store } from "../store/port.ts";

/** A request for a known source whose body was read whole. Nothing of it is believed yet. */
export interface UnverifiedMessage {
  readonly source: Source;
  readonly requestId: string;
  /** The address that refusals are counted for. */
  readonly ip: string;
  readonly resource: string;
  readonly body: Buffer;
  readonly contentType: string;
  /** The value of a single-valued header by lower-case name. */
  readonly header: (name: string) => string | undefined;
  /** The headers to keep with the event, as JSON; asked for only once the signature is good. */
  readonly headers: () => string;
}

/** What a signature scheme found: an authentic message, or why it is not one. */
export type Verification =
  | {
      readonly ok: true;
      readonly keyId: string;
      /** The MAC itself, decoded: spelling the same signature otherwise is still the same request. */
      readonly mac: Buffer;
      /** Unix seconds, or null for a scheme that signs no time. */
      readonly signedAt: number | null;
    }
  | {
      readonly ok: false;
      readonly reason: string;
      readonly keyId?: string;
    };

export type Verify = (
  message: Pick<UnverifiedMessage, "source" | "body" | "header">,
  now: number,
) => Verification;

/** The answer to give: a receipt, or a refusal by its code. */
export type IntakeResult =
  | { readonly status: "accepted" | "duplicate"; readonly eventId: string }
  | { readonly code: ProblemCode };

export interface IntakeDeps {
  readonly store: Pick<Store, "record">;
  readonly refusalEntries: RefusalEntries;
  readonly verify: Verify;
  readonly route: ReturnType<typeof createRouter>;
  readonly refusals: RefusalBudget;
  /** Unix milliseconds. */
  readonly now: () => number;
}

const ACTIONS = {
  accepted: "webhook.accepted",
  duplicate: "webhook.duplicate",
  replayed: "webhook.replayed",
  conflict: "webhook.conflict",
} as const satisfies Record<RecordOutcome, AuditAction>;

/**
 * Turns a request into a receipt: signature over the bytes, replay window, `id` and `type`, routing, one record.
 * Resolves only when what it says is durable; rejects with `StoreError` when it could not be written.
 */
export function createIntake(
  deps: IntakeDeps,
  options: { replayWindowSeconds: number },
): (message: UnverifiedMessage) => Promise<IntakeResult> {
  const { store, refusalEntries, verify, route, refusals } = deps;

  /** `userId` is null for a message that nobody has signed. */
  async function reject(
    message: UnverifiedMessage,
    now: number,
    code: ProblemCode,
    facts: { reason: string } & AuditMetadata,
    userId: string | null,
  ): Promise<IntakeResult> {
    const entries = userId === null ? "unverified" : "signed";
    const by = userId ?? "anonymous";
    await refusalEntries[entries].append(
      entryOf(message, now, "webhook.rejected", by, "failure", {
        ...digestOf(message.body),
        status: PROBLEMS[code].status,
        ...facts,
      }),
    );
    return { code };
  }

  return async (message) => {
    const now = deps.now();
    const { source, body } = message;

    const verified = verify(message, now);
    if (!verified.ok) {
      const { reason, keyId } = verified;
      const code = refusals.refuse("unauthorized", message.ip, now);
      return reject(message, now, code, { reason, keyId }, null);
    }
    const { keyId, mac, signedAt } = verified;
    const userId = `source:${source.name}`;

    const skew = signedAt === null ? undefined : skewSeconds(now, signedAt);
    if (skew !== undefined) {
      const verdict = judgeWindow(skew, options.replayWindowSeconds);
      if (verdict !== "inside") {
        // Somebody who asks for the event finds that it came, and when.
        const claimed = readPayload(body);
        const facts = {
          reason: verdict,
          keyId,
          eventId: claimed?.id,
          eventType: claimed?.type,
          skewSeconds: skew,
        };
        // As of a forged one, so that what the answer becomes in a flood does not tell them apart either.
        const code = refusals.refuse("unauthorized", message.ip, now);
        return reject(message, now, code, facts, userId);
      }
    }

    const payload = readPayload(body);
    if (payload === null) {
      const code = "malformed_payload";
      const facts = { reason: code, keyId, skewSeconds: skew };
      return reject(message, now, code, facts, userId);
    }

    const deliveries = route({
      source: source.name,
      type: payload.type,
      body,
    });
    const bodySha256 = digest("sha256", body, "buffer");
    const event: NewEvent = {
      source: source.name,
      id: payload.id,
      type: payload.type,
      receivedAt: now,
      contentType: message.contentType,
      headers: message.headers(),
      body,
      bodySha256,
    };
    const draftOf = (decided: RecordOutcome): AuditDraft => {
      const answer = answerTo(decided, source);
      return entryOf(
        message,
        now,
        ACTIONS[decided],
        userId,
        decided === "accepted" || decided === "duplicate"
          ? "success"
          : "failure",
        {
          keyId,
          eventId: payload.id,
          eventType: payload.type,
          bodySha256: bodySha256.toString("hex"),
          bodyBytes: body.length,
          status: "code" in answer ? PROBLEMS[answer.code].status : 200,
          skewSeconds: skew,
          deliveries: decided === "accepted" ? deliveries.length : undefined,
        },
      );
    };
    const outcome = await store.record({
      event,
      deliveries,
      claim: { signedAt, mac },
      entry: (decided) => {
        const draft = draftOf(decided);
        return decided === "replayed" && !refusalEntries.signed.admits(draft)
          ? null
          : draft;
      },
    });
    const answer = answerTo(outcome, source);
    return "code" in answer ? answer : { ...answer, eventId: payload.id };
  };
}

function answerTo(
  outcome: RecordOutcome,
  source: Source,
): { status: "accepted" | "duplicate" } | { code: ProblemCode } {
  switch (outcome) {
    case "accepted":
    case "duplicate":
      return { status: outcome };
    case "replayed":
      return source.onReplay === "acknowledge"
        ? { status: "duplicate" }
        : { code: "replayed" };
    case "conflict":
      return { code: "event_id_conflict" };
  }
}

function digestOf(body: Buffer): AuditMetadata {
  return {
    bodySha256: digest("sha256", body, "hex"),
    bodyBytes: body.length,
  };
}

function entryOf(
  message: UnverifiedMessage,
  at: number,
  action: AuditAction,
  userId: string,
  result: AuditDraft["result"],
  facts: AuditMetadata,
): AuditDraft {
  return {
    at,
    action,
    userId,
    resource: message.resource,
    result,
    metadata: {
      requestId: message.requestId,
      source: message.source.name,
      scheme: message.source.scheme,
      ip: message.ip,
      ...facts,
    },
  };
}
