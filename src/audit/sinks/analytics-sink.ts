import { errorCode } from "../../errors.ts";
import { parseEntry } from "../parsed-entry.ts";
import { type AuditSink, SinkError } from "./sink.ts";

/** Statuses that a retry does not change: the key is wrong or may not write. */
const BLOCKED = new Set([401, 403]);

/** The reason of a call that the local scope check rejected. */
const DENIED = "denied";
const TOO_LARGE = 413;

type Entry = Readonly<Record<string, unknown>>;

/** The method of HexWriter that this sink calls. */
export type Track = (
  event: string,
  properties: Entry | readonly Entry[],
  options: { readonly idempotencyKey: string; readonly signal: AbortSignal },
) => Promise<void>;

/** How a call of the Hex API failed. */
interface ApiError {
  readonly reason: string;
  readonly status: number | undefined;
  readonly retryAfterMs: number;
}

/**
 * Sends entries to Hex analytics. One call has many entries and the idempotency key `WRITER:SEQ` of the first. A call that
 * may have arrived is repeated with the same entries, so that one key never has different contents. A call that was rejected
 * as too large has not arrived and is repeated with fewer entries.
 */
export function createAnalyticsSink(track: Track): AuditSink {
  return {
    name: "analytics",
    maxRows: 200,
    maxBytes: 262_144,
    lingerMs: 200,
    shared: true,
    exact: true,
    async write(rows, signal) {
      const entries = rows.map(({ line }): Entry => ({ ...parseEntry(line) }));
      const { writer, seq } = parseEntry(rows[0]?.line ?? "")?.chain ?? {};
      try {
        await track(
          "audit",
          entries.length === 1 ? { ...entries[0] } : entries,
          {
            idempotencyKey: `${writer ?? ""}:${seq ?? 0}`,
            signal,
          },
        );
      } catch (error) {
        throw isApiError(error)
          ? new SinkError(error.reason, {
              status: error.status,
              retryAfterMs: error.retryAfterMs,
              kind:
                error.reason === DENIED || BLOCKED.has(error.status ?? 0)
                  ? "blocked"
                  : "temporary",
              tooLarge: error.status === TOO_LARGE,
            })
          : new SinkError(errorCode(error) ?? "unknown");
      }
    },
  };
}

function isApiError(error: unknown): error is ApiError {
  return (
    typeof error === "object" &&
    error !== null &&
    "reason" in error &&
    typeof error.reason === "string" &&
    "retryAfterMs" in error
  );
}
