import type { AuditDraft } from "../../audit/entry.ts";
import type { NewEvent } from "../../domain/event.ts";
import type { Source } from "../../domain/source.ts";
import { RATE_LIMIT, SERVER_LIMITS } from "../../app/listeners.ts";
import { createPublicApp } from "../../http/app.ts";
import {
  createClientAddress,
  createIsProxy,
} from "../../http/client-address.ts";
import { createClientErrorHandler } from "../../http/connection/client-error.ts";
import { createMemoryPool } from "../../http/connection/memory-pool.ts";
import { createScheduler } from "../../http/connection/scheduler.ts";
import { createAdmission } from "../../http/public/admission.ts";
import type { ReceiveDeps } from "../../http/public/receive.ts";
import { createRateLimiter } from "../../http/rate-limiter.ts";
import { createReject } from "../../http/reject.ts";
import { createRequestValidation } from "../../http/request-validation.ts";
import { listen, type Listener } from "../../http/server.ts";
import { createIntake, type UnverifiedMessage } from "../../intake/intake.ts";
import { explain } from "../../signature/explain/explain.ts";
import type { Emit } from "../../telemetry/happening.ts";
import { createLogger } from "../../telemetry/logger.ts";
import type { EventRecord } from "../../store/records.ts";
import type { Output } from "../io.ts";
import { SYSTEM } from "../system.ts";
import { createRecentEvents } from "./recent-events.ts";
import type { Received } from "./received.ts";

const MAX_EVENTS = 1000;
const MAX_CONNECTIONS = 256;
const MAX_WAITING = 256;
const MAX_HELD_BYTES = 134_217_728;
const MAX_UNPARSED_BYTES = 8_388_608;
const KEEP_ALIVE_MS = 65_000;
const STUCK_MS = 30_000;

export interface ReceiverDeps {
  /** The configured sources. */
  readonly sources: () => readonly Source[];
  /** Called before the response is sent. `event`: what a destination gets; null = nothing is delivered. */
  readonly onReceived: (
    received: Received,
    event: NewEvent | null,
  ) => Promise<void>;
  /** Called for a request that no source got. */
  readonly onRejected: (draft: AuditDraft) => Promise<void>;
  /** Called if a request fails because of this program. */
  readonly onError: (error: unknown) => void;
  readonly stderr: Output;
}

/**
 * Starts the endpoints of the sources as `serve` has them: with the same checks in the same order, and the same responses. But
 * nothing is stored, and nothing is delivered.
 */
export async function startReceiver(
  address: { host: string; port: number; variable: string },
  deps: ReceiverDeps,
): Promise<Listener> {
  const { now, monotonic } = SYSTEM;
  let requests = 0;
  const isProxy = createIsProxy([]);
  const append = async (draft: AuditDraft): Promise<void> => {
    if (draft.action === "http.rejected") {
      await deps.onRejected(draft);
    }
  };
  const everyEntry = { append, admits: () => true };
  const reject = createReject({
    append,
    auditLimiters: { verified: everyEntry, unverified: everyEntry },
    rateLimiter: createRateLimiter(RATE_LIMIT),
    now,
    monotonic,
  });
  const emit: Emit = (happening) => {
    if (happening.type === "request.failed") {
      deps.onError(happening.error);
    }
  };
  const scheduler = createScheduler(monotonic);
  const app = createPublicApp({
    validation: createRequestValidation({
      clientAddress: createClientAddress(isProxy),
      nextRequestId: () => String((requests += 1)),
      isDraining: () => false,
      singleHeaders: [],
    }),
    reject,
    ready: async () => undefined,
    logger: createLogger("error", deps.stderr),
    emit,
    receive: {
      source: (name) => deps.sources().find((one) => one.name === name),
      intake: createDisplayedIntake(deps, emit),
      admission: createAdmission(
        { scheduler, now: monotonic },
        { maxBytes: MAX_HELD_BYTES, maxWaiting: MAX_WAITING },
      ),
      reject,
      isDraining: () => false,
      isClosed: () => false,
    },
  });
  return listen(
    app,
    address,
    {
      ...SERVER_LIMITS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      stuckTimeout: STUCK_MS,
      max: MAX_CONNECTIONS,
      maxPerNetwork: MAX_CONNECTIONS,
    },
    {
      scheduler,
      unparsed: createMemoryPool({
        maxBytes: MAX_UNPARSED_BYTES,
        now: monotonic,
      }),
      isProxy,
      onClientError: createClientErrorHandler(reject),
      now: monotonic,
      onError: deps.onError,
      onReject: () => undefined,
    },
  );
}

const NO_ENTRY = { append: async () => undefined, admits: () => true };
const NO_ENTRIES = { verified: NO_ENTRY, unverified: NO_ENTRY };

/** Creates an intake that keeps the latest events in memory, and calls `onReceived` for each message. */
function createDisplayedIntake(
  { onReceived, sources }: ReceiverDeps,
  emit: Emit,
): ReceiveDeps["intake"] {
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
    headers: JSON.parse(message.storedHeaders()) as Record<string, string>,
    body: message.body,
  };
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
