import { networkOf } from "../domain/ip-address.ts";
import { lineBytes } from "./chain.ts";
import type { AuditDraft } from "./entry.ts";
import type { SuppressedEntries } from "./suppressed-entries.ts";

/** Limits the entries that any client can cause. Entries within the limit are written; the others are only counted. */
export interface AuditLimiter {
  /** Writes the entry or counts it, and resolves when that is done. */
  readonly append: (draft: AuditDraft) => Promise<void>;
  /** True: the caller must write the entry. False: the entry is over the limit and has been counted. */
  readonly admits: (draft: AuditDraft) => boolean;
}

/** One limiter for each kind of rejected request, so that a flood of forgeries suppresses no entry of a verified request. */
export interface AuditLimiters {
  /** The request was not verified. */
  readonly unverified: AuditLimiter;
  /** The request has a valid signature, but is stale, malformed or seen before. Anyone who captured it can send it again. */
  readonly verified: AuditLimiter;
}

/**
 * Creates a limiter. Within any `windowMs` it admits at most `perAddress` entries of one address (`metadata.ip`; IPv6: a
 * /64) and `total` entries of all addresses. `takeBytes` limits the bytes; `isFirst`: the first entry of its address in the
 * window. The limiter remembers the entries of one window only, so the number of addresses does not affect its memory.
 */
export function createAuditLimiter(
  deps: {
    append: (draft: AuditDraft) => Promise<void>;
    suppressed: Pick<SuppressedEntries, "count">;
    takeBytes?: (bytes: number, isFirst: boolean) => boolean;
    /** Milliseconds of a monotonic clock. */
    monotonic: () => number;
  },
  limits: { perAddress: number; total: number; windowMs: number },
): AuditLimiter {
  const { perAddress, total, windowMs } = limits;
  /** The admitted entries of the window, oldest first. At most `total`. */
  const admitted: { readonly network: string; readonly at: number }[] = [];
  const counts = new Map<string, number>();

  function forgetOld(now: number): void {
    const kept = admitted.findIndex(({ at }) => now - at < windowMs);
    for (const { network } of admitted.splice(
      0,
      kept === -1 ? admitted.length : kept,
    )) {
      const count = counts.get(network) ?? 0;
      if (count > 1) {
        counts.set(network, count - 1);
      } else {
        counts.delete(network);
      }
    }
  }

  function isWithinLimits(draft: AuditDraft): boolean {
    const { metadata } = draft;
    const at = deps.monotonic();
    forgetOld(at);
    const network = networkOf(String(metadata["ip"]));
    const count = counts.get(network) ?? 0;
    if (admitted.length >= total || count >= perAddress) {
      return false;
    }
    if (deps.takeBytes?.(lineBytes(draft), count === 0) === false) {
      return false;
    }
    admitted.push({ network, at });
    counts.set(network, count + 1);
    return true;
  }

  function admits(draft: AuditDraft): boolean {
    const isAdmitted = isWithinLimits(draft);
    if (!isAdmitted) {
      deps.suppressed.count(draft);
    }
    return isAdmitted;
  }

  return {
    admits,
    async append(draft) {
      if (admits(draft)) {
        await deps.append(draft);
      }
    },
  };
}
