import type { Source } from "../domain/source.ts";
import type { AuditDraft } from "../audit/entry.ts";
import { judgeKeyAge } from "../domain/key-age.ts";
import type { Control } from "../store/port.ts";
import { createInterval } from "../background/interval.ts";
import type { BackgroundService } from "../background/background-service.ts";
import type { Emit } from "../telemetry/happening.ts";

export interface KeyAgeDeps {
  /** Returns the current sources. */
  readonly sources: () => readonly Source[];
  readonly store: Pick<Control, "holdLease">;
  readonly append: (entry: AuditDraft) => Promise<void>;
  readonly emit: Emit;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

/**
 * Checks the age of the signing secret of each source, at startup and then every `everyMs`. A secret that is due for rotation
 * is logged. A secret that is overdue, or whose age is unknown, is logged and has an audit entry.
 */
export function createKeyAgeChecks(
  deps: KeyAgeDeps,
  options: { readonly everyMs: number },
): BackgroundService {
  const { sources, store, append, emit, now, onError } = deps;

  async function check(): Promise<void> {
    const at = now();
    for (const source of sources()) {
      const [current] = source.secrets;
      // A public key is not a secret, so it has no age limit.
      if (current === undefined || current.publicKey !== null) {
        continue;
      }
      const age = judgeKeyAge(current.createdAt, at);
      if (age.verdict === "fresh") {
        continue;
      }
      const { name, keyId } = current;
      const facts = { source: source.name, keyId, days: age.days };
      emit({
        type: "secret.aged",
        verdict: age.verdict,
        secret: name,
        ...facts,
      });
      if (age.verdict !== "due" && (await store.holdLease("maintenance"))) {
        const reason = age.verdict === "overdue" ? "too_old" : "no_date";
        await append(overdueEntry(at, source, { ...facts, reason }));
      }
    }
  }

  return createInterval(check, { everyMs: options.everyMs, onError });
}

function overdueEntry(
  at: number,
  source: Source,
  metadata: AuditDraft["metadata"],
): AuditDraft {
  return {
    at,
    action: "secret.overdue",
    userId: "system",
    resource: `/webhooks/${source.name}`,
    result: "failure",
    metadata,
  };
}
