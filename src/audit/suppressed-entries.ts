import type { Emit } from "../telemetry/happening.ts";
import { type AuditDraft, clipText } from "./entry.ts";

/** The maximum numbers of reasons and addresses that one entry lists. All others are counted together. */
const MAX_REASONS = 50;
const MAX_ADDRESSES = 20;

/** Counts entries that are not written, and reports the counts in one entry. */
export interface SuppressedEntries {
  readonly count: (draft: AuditDraft) => void;
  /** Writes one `audit.suppressed` with the counts since the last one, if anything was counted. */
  readonly flush: () => Promise<void>;
}

interface Suppressed {
  count: number;
  readonly since: number;
  readonly reasons: Map<string, number>;
  readonly addresses: Map<string, number>;
}

export function createSuppressedEntries(deps: {
  append: (draft: AuditDraft) => Promise<void>;
  now: () => number;
  emit: Emit;
}): SuppressedEntries {
  const { append, now, emit } = deps;
  let suppressed: Suppressed | null = null;

  return {
    count(draft) {
      suppressed ??= {
        count: 0,
        since: draft.at,
        reasons: new Map(),
        addresses: new Map(),
      };
      suppressed.count += 1;
      countIn(suppressed.reasons, reasonOf(draft), MAX_REASONS);
      countIn(suppressed.addresses, draft.metadata["ip"], MAX_ADDRESSES);
      emit({ type: "audit.suppressed", count: 1 });
    },
    async flush() {
      const flushed = suppressed;
      if (flushed === null) {
        return;
      }
      suppressed = null;
      try {
        await append(suppressedEntry(flushed, now()));
      } catch (error) {
        suppressed = merged(flushed, suppressed);
        throw error;
      }
    },
  };
}

/** Returns the reason of an entry. An entry without one has its reason in the action, such as `replayed`. */
function reasonOf({ action, metadata }: AuditDraft): unknown {
  return metadata["reason"] ?? action.slice(action.indexOf(".") + 1);
}

function countIn(
  counts: Map<string, number>,
  name: unknown,
  limit: number,
  by = 1,
): void {
  const key = clipText(String(name));
  const countedKey = counts.has(key) || counts.size < limit ? key : "others";
  counts.set(countedKey, (counts.get(countedKey) ?? 0) + by);
}

/** Adds the counts that were collected during a failed write to the counts of that write. */
function merged(first: Suppressed, second: Suppressed | null): Suppressed {
  first.count += second?.count ?? 0;
  for (const [reason, by] of second?.reasons ?? []) {
    countIn(first.reasons, reason, MAX_REASONS, by);
  }
  for (const [address, by] of second?.addresses ?? []) {
    countIn(first.addresses, address, MAX_ADDRESSES, by);
  }
  return first;
}

function suppressedEntry(
  { count, since, reasons, addresses }: Suppressed,
  at: number,
): AuditDraft {
  return {
    at,
    action: "audit.suppressed",
    userId: "system",
    resource: "audit",
    result: "failure",
    metadata: {
      count,
      since: new Date(since).toISOString(),
      reasons: Object.fromEntries(reasons),
      addresses: Object.fromEntries(addresses),
    },
  };
}
