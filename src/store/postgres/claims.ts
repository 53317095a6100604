import type { ClaimedDelivery } from "../../domain/delivery.ts";
import {
  MAX_CLAIMED_BYTES,
  MAX_PROBE_CANDIDATES,
  MAX_PROBE_DUE,
} from "../limits.ts";
import type { ClaimRequest } from "../records.ts";
import type { Lane } from "./lane.ts";
import { loseAttempts } from "./lost-attempts.ts";
import type { Sql, Statement } from "./sql.ts";

/**
 * For this time after a claim failed, claims look for deliveries that it took. It is longer than a statement that was given
 * up can still run, in milliseconds.
 */
const IN_DOUBT_MS = 5000;

const CLAIM: Statement = {
  name: "claim",
  text: `
    SELECT * FROM hexhook_claim(
      p_destination => $1, p_writer => $2, p_now => $3, p_due_until => $4, p_lease_until => $5, p_limit => $6,
      p_concurrency => $7, p_rate => $8, p_rate_ms => $9, p_crashed => $10, p_probed => $11::bigint[],
      p_max_probe_due => ${MAX_PROBE_DUE}, p_max_probe_candidates => ${MAX_PROBE_CANDIDATES},
      p_max_bytes => ${MAX_CLAIMED_BYTES}, p_holding => $12::bigint[], p_excluded => $13::bigint[], p_reclaims => $14,
      p_past_lost => $15)`,
};

interface ClaimRow {
  /** Null: leases have ended, and nothing was taken. */
  readonly id: number | null;
  readonly attempt: number;
  readonly uncounted: number;
  readonly crashes: number;
  readonly event_seq: number;
  readonly source: string;
  readonly event_id: Buffer;
  readonly type: Buffer;
  readonly received_at: number;
  readonly content_type: string;
  readonly headers: string;
  readonly body: Buffer;
}

/**
 * Creates the claims of a process. A claim is one statement outside the lane. Only lost attempts are recorded in the lane,
 * because they need audit entries.
 */
export function createClaims(deps: {
  readonly pool: Sql;
  readonly lane: Pick<Lane, "run">;
  readonly writer: string;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
}): (request: ClaimRequest) => Promise<ClaimedDelivery[]> {
  const { pool, lane, writer, monotonic } = deps;
  /** By destination: when a claim failed last. It may have taken deliveries that no worker knows. */
  const failedAt = new Map<string, number>();

  /** Returns null if leases have ended. */
  async function take(
    request: ClaimRequest,
    how: { excluded: readonly number[]; isPastLost: boolean },
  ): Promise<ClaimedDelivery[] | null> {
    const { destination, rateLimit } = request;
    const holding = [...request.holding];
    const failed = failedAt.get(destination);
    const startedAt = monotonic();
    let rows: ClaimRow[];
    try {
      rows = await pool.query<ClaimRow>(CLAIM, [
        destination,
        writer,
        request.now,
        request.dueUntil,
        request.leaseUntil,
        request.limit,
        request.concurrency,
        rateLimit?.attempts ?? null,
        rateLimit?.perMs ?? null,
        request.crashed,
        request.probed,
        holding,
        [...holding, ...how.excluded],
        failed !== undefined,
        how.isPastLost,
      ]);
    } catch (error) {
      failedAt.set(destination, monotonic());
      throw error;
    }
    if (failed !== undefined && startedAt - failed > IN_DOUBT_MS) {
      failedAt.delete(destination);
    }
    const claimed = rows.flatMap((row) =>
      row.id === null ? [] : [claimedDelivery({ ...row, id: row.id }, request)],
    );
    return claimed.length === rows.length ? claimed : null;
  }

  async function takeAfterLosses(
    request: ClaimRequest,
  ): Promise<ClaimedDelivery[] | null> {
    const lost = await lane.run((tx) => loseAttempts(tx, request));
    // A delivery whose attempt was just found lost waits until nothing else can be claimed, unless its crashes do not matter.
    const excluded =
      request.crashed === "any"
        ? []
        : lost.filter(({ crashes }) => crashes <= 2).map(({ id }) => id);
    const claimed = await take(request, { excluded, isPastLost: true });
    return claimed?.length === 0 && excluded.length > 0
      ? take(request, { excluded: [], isPastLost: true })
      : claimed;
  }

  return async (request) => {
    const claimed =
      (await take(request, { excluded: [], isPastLost: false })) ??
      (await takeAfterLosses(request)) ??
      [];
    return request.crashed === "any" || request.crashed === "none"
      ? claimed
      : claimed.sort((a, b) => a.id - b.id);
  };
}

function claimedDelivery(
  row: ClaimRow & { readonly id: number },
  { destination, now }: ClaimRequest,
): ClaimedDelivery {
  const { id, attempt, uncounted, crashes } = row;
  return {
    id,
    destination,
    attempt,
    scheduledAttempt: attempt - uncounted,
    crashes,
    startedAt: now,
    event: {
      seq: row.event_seq,
      source: row.source,
      id: row.event_id.toString(),
      type: row.type.toString(),
      receivedAt: row.received_at,
      contentType: row.content_type,
      headers: row.headers,
      body: row.body,
    },
  };
}
