import type { AuditDraft } from "./entry.ts";
import type { EntryBudget } from "./entry-budget.ts";
import type { SuppressedEntries } from "./suppressed-entries.ts";

/** Entries that others can cause at will: within a budget each is written, beyond it they are counted. */
export interface BudgetedEntries {
  /** Resolves when the entry is written, or counted. */
  readonly append: (draft: AuditDraft) => Promise<void>;
  /** Whether the entry is to be written; if not, it is counted. */
  readonly admits: (draft: AuditDraft) => boolean;
}

/** The two budgets of refused requests: a flood of what nobody has signed hides nothing of what somebody has. */
export interface RefusalEntries {
  /** Nobody has signed the request. */
  readonly unverified: BudgetedEntries;
  /** Somebody has, but anybody who caught it may have sent it: it is stale, malformed, or was seen before. */
  readonly signed: BudgetedEntries;
}

export function createBudgetedEntries(deps: {
  append: (draft: AuditDraft) => Promise<void>;
  budget: EntryBudget;
  suppressed: Pick<SuppressedEntries, "count">;
}): BudgetedEntries {
  const { append, budget, suppressed } = deps;
  const admits = (draft: AuditDraft): boolean => {
    const within = budget.take(String(draft.metadata["ip"]), draft.at);
    if (!within) {
      suppressed.count(draft);
    }
    return within;
  };
  return {
    admits,
    async append(draft) {
      if (admits(draft)) {
        await append(draft);
      }
    },
  };
}
