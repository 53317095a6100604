import type { NewEvent } from "../../domain/event.ts";
import type { Source } from "../../domain/source.ts";
import {
  createIntake,
  type Intake,
  type UnverifiedMessage,
} from "../../intake/intake.ts";
import { explain } from "../../signature/explain/explain.ts";
import { notionToken } from "../../signature/handshakes.ts";
import type { EventRecord } from "../../store/records.ts";
import type { Emit } from "../../telemetry/happening.ts";
import { SYSTEM } from "../system.ts";
import { createRecentEvents } from "./recent-events.ts";
import type { Received } from "./received.ts";

const MAX_EVENTS = 1000;

const NO_ENTRY = { append: async () => undefined, admits: () => true };
const NO_ENTRIES = { verified: NO_ENTRY, unverified: NO_ENTRY };

/**
 * Called for each message before the response is sent. `event`: what a destination gets; null = nothing is delivered.
 */
export type OnReceived = (
  received: Received,
  event: NewEvent | null,
) => Promise<void>;

/** Creates an intake that keeps the latest events in memory, and calls `onReceived` for each message. */
export function createDisplayedIntake(
  {
    onReceived,
    sources,
  }: { onReceived: OnReceived; sources: () => readonly Source[] },
  emit: Emit,
): Intake {
  const recent = createRecentEvents(MAX_EVENTS);
  let count = 0;

  return async (message) => {
    const found: { record?: EventRecord; verdict?: string; id?: string } = {};
    const intake = createIntake({
      store: {
        record: async (record) => {
          const recorded = await recent.record(record);
          found.record = record;
          found.verdict = recorded.outcome;
          found.id = recorded.id;
          return recorded;
        },
      },
      auditLimiters: NO_ENTRIES,
      route: () => [],
      now: SYSTEM.now,
      emit,
    });
    const result = await intake(message);
    count += 1;
    const { record, id } = found;
    const reason =
      result.status === "rejected"
        ? result.entry?.(0).metadata["reason"]
        : null;
    const verdict =
      found.verdict ?? (typeof reason === "string" ? reason : result.status);
    const event =
      record === undefined
        ? null
        : { ...record.event, id: id ?? record.event.id };
    await onReceived(
      {
        ...describeMessage(message),
        n: count,
        at: SYSTEM.now(),
        verdict,
        isGood: result.status !== "rejected",
        event:
          record === undefined || event === null
            ? null
            : {
                id: event.id,
                type: event.type,
                keyId: record.request.keyId,
                skewSeconds: record.request.skewSeconds,
              },
        verificationToken:
          result.status === "handshake" ? tokenIn(message) : null,
        hints:
          result.status === "rejected" && record === undefined
            ? hintsFor(message, sources(), verdict)
            : [],
      },
      verdict === "accepted" ? event : null,
    );
    return result;
  };
}

function describeMessage(
  message: UnverifiedMessage,
): Pick<
  Received,
  "source" | "method" | "path" | "ip" | "contentType" | "headers" | "body"
> {
  const contentType = message.headers["content-type"];
  return {
    source: message.source.name,
    method: message.method,
    path: message.resource,
    ip: message.ip,
    contentType: typeof contentType === "string" ? contentType : undefined,
    headers: JSON.parse(message.storedHeaders(null)) as Record<string, string>,
    body: message.body,
  };
}

/** Returns the signing secret that Notion sends when an endpoint is registered, without a signature. */
function tokenIn(message: UnverifiedMessage): string | null {
  return message.source.scheme.handshake === "notion"
    ? notionToken(message)
    : null;
}

function hintsFor(
  message: UnverifiedMessage,
  sources: readonly Source[],
  reason: string,
): readonly string[] {
  const { source } = message;
  const context = { sources, url: null, now: SYSTEM.now() };
  return explain({ source, message }, reason, context).flatMap(
    ({ says, fix }) => [says, fix],
  );
}
