import type { Logger } from "pino";
import type { AuditDraft } from "../audit/entry.ts";
import { type KeyAge, judgeKeyAge } from "../domain/key-age.ts";
import type { Source } from "../domain/model.ts";
import { startPeriodic } from "../background/interval.ts";

export interface KeyAgeDeps {
  /** Those in force. */
  readonly sources: () => readonly Source[];
  readonly append: (entry: AuditDraft) => Promise<void>;
  readonly logger: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly onFault: (error: unknown) => void;
}

/**
 * Looks at once and then again and again at how old the signing secret of each source is: one that is due for rotation is told of on
 * the operational log, one that is overdue, or of unknown age, in the audit trail too.
 */
export function startKeyAgeChecks(
  deps: KeyAgeDeps,
  options: { readonly everyMs: number },
): { stop: () => Promise<void> } {
  const { sources, append, logger, now, onFault } = deps;

  async function check(): Promise<void> {
    const at = now();
    for (const source of sources()) {
      const [current] = source.secrets;
      if (current === undefined) {
        continue;
      }
      const age = judgeKeyAge(current.createdAt, at);
      if (age.verdict === "fresh") {
        continue;
      }
      const { name, keyId } = current;
      const facts = { source: source.name, keyId, days: age.days };
      logger.warn({ ...facts, secret: name }, ADVICE[age.verdict]);
      if (age.verdict !== "due") {
        const reason = age.verdict === "overdue" ? "too_old" : "no_date";
        await append(overdueEntry(at, source, { ...facts, reason }));
      }
    }
  }

  return startPeriodic(check, { everyMs: options.everyMs, onFault });
}

const ADVICE: Readonly<Record<Exclude<KeyAge["verdict"], "fresh">, string>> = {
  due: "a signing secret is due for rotation: from 90 days on it is overdue",
  overdue: "a signing secret is overdue for rotation: make a new one",
  unknown:
    "nobody has said when a signing secret was made (or a day to come): set HEX_SECRET_CREATED_AT, or createdAt in the file",
};

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
