import { UsageError } from "../../errors.ts";
import type { FilterOptions } from "./filter-options.ts";

/** The options of commands that change many deliveries. */
export interface BulkOptions extends FilterOptions {
  readonly all?: true;
  readonly dryRun?: true;
  readonly as?: string;
  readonly json?: true;
}

/** Throws UsageError unless either ids or --all are given, and when ids are combined with filters that need --all. */
export function requireChoice(
  ids: readonly string[],
  options: BulkOptions,
): void {
  const { all, source, type, since, until, unrouted } = options;
  if (all && ids.length > 0) {
    throw new UsageError("give event ids or --all, not both");
  }
  if (!all && ids.length === 0) {
    throw new UsageError(
      "give event ids, or --all with filters; --dry-run shows what they select",
    );
  }
  const needAll = Object.entries({
    source,
    type,
    since,
    until,
    unrouted,
  })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => `--${name}`);
  if (!all && needAll.length > 0) {
    throw new UsageError(
      `${needAll.join(", ")} needs --all; ids can be combined with --state and --destination`,
    );
  }
}

export const deliveriesCounted = (n: number): string =>
  `${n} ${n === 1 ? "delivery" : "deliveries"}`;
