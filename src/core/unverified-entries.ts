import { type AuditDraft, clipText } from "./audit-entry.ts";
import { type EntryBudget } from "./entry-budget.ts";

/** So many reasons and addresses are told apart in one entry; the others are counted together. */
const MAX_REASONS = 50;
const MAX_ADDRESSES = 20;

/** The entries of requests that nobody has signed: within a budget each is written, beyond it they are counted. */
export interface UnverifiedEntries {
  /** Resolves when the entry is written, or counted. */
  append: (draft: AuditDraft) => Promise<void>;
  /** Writes one `audit.suppressed` for what was counted since the last; nothing when there was nothing. */
  flush: () => Promise<void>;
}

interface Suppressed {
  count: number;
  readonly since: number;
  readonly reasons: Map<string, number>;
  readonly addresses: Map<string, number>;
}

export function createUnverifiedEntries(deps: {
  append: (draft: AuditDraft) => Promise<void>;
  budget: EntryBudget;
  now: () => number;
}): UnverifiedEntries {
  const { append, budget, now } = deps;
  let suppressed: Suppressed | null = null;

  function count({ at, metadata }: AuditDraft): void {
    suppressed ??= {
      count: 0,
      since: at,
      reasons: new Map(),
      addresses: new Map(),
    };
    suppressed.count += 1;
    countIn(suppressed.reasons, metadata["reason"], MAX_REASONS);
    countIn(suppressed.addresses, metadata["ip"], MAX_ADDRESSES);
  }

  return {
    async append(draft) {
      if (budget.take(String(draft.metadata["ip"]), draft.at)) {
        await append(draft);
      } else {
        count(draft);
      }
    },
    async flush() {
      const told = suppressed;
      if (told === null) {
        return;
      }
      suppressed = null;
      try {
        await append(suppressedEntry(told, now()));
      } catch (error) {
        suppressed = merged(told, suppressed);
        throw error;
      }
    },
  };
}

function countIn(
  counts: Map<string, number>,
  name: unknown,
  limit: number,
  by = 1,
): void {
  const key = clipText(String(name));
  const known = counts.has(key) || counts.size < limit ? key : "others";
  counts.set(known, (counts.get(known) ?? 0) + by);
}

/** What could not be told, and what came meanwhile. */
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
