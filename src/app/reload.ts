import type { Logger } from "pino";
import type { Config } from "../config/load-config.ts";
import type { AuditDraft } from "../audit/entry.ts";
import { asError, ConfigError } from "../errors.ts";
import {
  refusedEntries,
  reloadedEntries,
  type ReloadTrigger,
} from "./reload-entries.ts";

export interface ReloaderDeps {
  /** Reads the configuration again. Throws ConfigError. */
  readonly read: () => Config;
  /** Brings it into force, whole or not at all, and names the destinations that changed. Throws ConfigError. */
  readonly apply: (after: Config) => readonly string[];
  readonly append: (entry: AuditDraft) => Promise<void>;
  readonly logger: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export interface Reloader {
  /** What is in force. */
  readonly config: () => Config;
  /**
   * Reads the configuration again and brings it into force; one with a fault is refused, and what was in force stays so.
   * Both are written to the audit trail. Never throws on account of the configuration.
   */
  readonly reload: (trigger: ReloadTrigger) => Promise<void>;
}

export function createReloader(deps: ReloaderDeps, initial: Config): Reloader {
  const { logger, now } = deps;
  let config = initial;

  async function reload(trigger: ReloadTrigger): Promise<void> {
    const before = config;
    const facts = { at: now(), trigger };
    let entries: AuditDraft[];
    try {
      const after = deps.read();
      const destinations = deps.apply(after);
      config = after;
      entries = reloadedEntries(before, after, { ...facts, destinations });
      tell(before, after, entries);
    } catch (thrown) {
      if (!(thrown instanceof ConfigError)) {
        throw asError(thrown);
      }
      const { faults } = thrown;
      entries = refusedEntries(faults, facts);
      for (const fault of faults) {
        logger.error({ trigger, fault }, "the new configuration is refused");
      }
    }
    await Promise.all(entries.map(deps.append));
  }

  function tell(
    before: Config,
    after: Config,
    entries: readonly AuditDraft[],
  ): void {
    for (const { action, resource, metadata } of entries) {
      logger.info({ action, resource, ...metadata }, "reloaded");
    }
    for (const warning of after.warnings) {
      if (!before.warnings.includes(warning)) {
        logger.warn(warning);
      }
    }
  }

  return { config: () => config, reload };
}
