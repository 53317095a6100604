import type { AuditDraft } from "../../audit/entry.ts";
import type { Source } from "../../domain/source.ts";
import { RATE_LIMIT, SERVER_LIMITS } from "../../app/listeners.ts";
import { createPublicApp } from "../../http/app.ts";
import {
  createClientAddress,
  createIsProxy,
  type TrustProxy,
} from "../../http/client-address.ts";
import { createClientErrorHandler } from "../../http/connection/client-error.ts";
import { createMemoryPool } from "../../http/connection/memory-pool.ts";
import { createScheduler } from "../../http/connection/scheduler.ts";
import { createAdmission } from "../../http/public/admission.ts";
import { createRateLimiter } from "../../http/rate-limiter.ts";
import { createReject } from "../../http/reject.ts";
import { createRequestValidation } from "../../http/request-validation.ts";
import { listen, type Listener } from "../../http/server.ts";
import type { Emit } from "../../telemetry/happening.ts";
import { createLogger } from "../../telemetry/logger.ts";
import type { Output } from "../io.ts";
import { SYSTEM } from "../system.ts";
import { createDisplayedIntake, type OnReceived } from "./displayed-intake.ts";

const MAX_CONNECTIONS = 256;
const MAX_WAITING = 256;
const MAX_HELD_BYTES = 134_217_728;
const MAX_UNPARSED_BYTES = 8_388_608;
const KEEP_ALIVE_MS = 65_000;
const STUCK_MS = 30_000;

export interface ReceiverDeps {
  /** The configured sources. */
  readonly sources: () => readonly Source[];
  /** Whose `X-Forwarded-For` is believed. */
  readonly trustProxy: TrustProxy;
  readonly onReceived: OnReceived;
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
  const isProxy = createIsProxy(deps.trustProxy);
  const append = async (draft: AuditDraft): Promise<void> => {
    if (draft.action === "http.rejected") {
      await deps.onRejected(draft);
    }
  };
  const everyEntry = { append, admits: () => true };
  const report = (): void => undefined;
  const reject = createReject({
    append,
    auditLimiters: { verified: everyEntry, unverified: everyEntry },
    rateLimiter: createRateLimiter(RATE_LIMIT),
    report,
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
      monotonic,
    }),
    reject,
    report,
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
      report,
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
