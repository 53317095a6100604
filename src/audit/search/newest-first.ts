import type { AuditReader } from "../../store/port.ts";

type Step = Awaited<ReturnType<AuditReader["searchAudit"]>>;

/**
 * Yields the steps of a search from the newest entry to the oldest one. Each step examines a bounded number of entries, and
 * its `next` is null when the search is complete.
 */
export async function* newestFirst(
  store: Pick<AuditReader, "searchAudit">,
  search: { readonly containing: readonly string[]; readonly limit: number },
): AsyncGenerator<Step> {
  let from: number | null = null;
  do {
    const step: Step = await store.searchAudit({
      ...search,
      order: "newest",
      from,
    });
    yield step;
    from = step.next;
  } while (from !== null);
}
