import { type AuditDraft, clipText } from "./entry.ts";

/** So many reasons and addresses are told apart in one entry; the others are counted together. */
const MAX_REASONS = 50;
const MAX_ADDRESSES = 20;

/** Entries that are not written one by one: counted, and told of in one. */
export interface SuppressedEntries {
  readonly count: (draft: AuditDraft) => void;
  /** Writes one `audit.suppressed` for what was counted since the last; nothing when there was nothing. */
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
}): SuppressedEntries {
  const { append, now } = deps;
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

/** The action says it where the entry has no reason: `replayed`. */
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
