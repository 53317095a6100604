import { errorCode } from "../../errors.ts";
import { parseEntry } from "../parsed-entry.ts";
import { type AuditSink, SinkFault } from "./sink.ts";

/** Statuses that do not go away by asking again: the key is wrong, or may not write. */
const BLOCKED = new Set([401, 403]);

/** The call was refused here. */
const DENIED = "denied";
const TOO_LARGE = 413;

type Entry = Readonly<Record<string, unknown>>;

/** What this sink needs of HexWriter. */
export type Track = (
  event: string,
  properties: Entry | readonly Entry[],
  options: { readonly idempotencyKey: string; readonly signal: AbortSignal },
) => Promise<void>;

/** How a call of the Hex API failed. */
interface ApiFault {
  readonly reason: string;
  readonly status: number | undefined;
  readonly retryAfterMs: number;
}

/**
 * Entries in Hex analytics, many in one call under the key `WRITER:SEQ` of the first. A call that may have arrived is made
 * again with the same entries, so that one key never stands for different ones; one that was too large has not arrived, and
 * is made again with fewer.
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
        throw isApiFault(error)
          ? new SinkFault(error.reason, {
              status: error.status,
              retryAfterMs: error.retryAfterMs,
              kind:
                error.reason === DENIED || BLOCKED.has(error.status ?? 0)
                  ? "blocked"
                  : "passing",
              tooLarge: error.status === TOO_LARGE,
            })
          : new SinkFault(errorCode(error) ?? "unknown");
      }
    },
  };
}

function isApiFault(error: unknown): error is ApiFault {
  return (
    typeof error === "object" &&
    error !== null &&
    "reason" in error &&
    typeof error.reason === "string" &&
    "retryAfterMs" in error
  );
}
