import type { Handlers } from "../domain/handler.ts";
import type { Destination } from "../domain/destination.ts";
import type { AuditDraft } from "../audit/entry.ts";
import type { Config } from "../config/load-config.ts";
import type { DestinationConfig } from "../config/destinations.ts";
import type { Dispatcher } from "../delivery/dispatcher.ts";
import { asError, ConfigError } from "../errors.ts";
import type { Emit } from "../telemetry/happening.ts";
import { changedDestinations } from "./destinations.ts";
import { deriveLiveConfig, type LiveConfigHolder } from "./live-config.ts";
import {
  reloadedEntries,
  rejectedEntries,
  type ReloadTrigger,
} from "./reload-entries.ts";

export interface ReloadDeps {
  readonly live: LiveConfigHolder;
  /** The configuration at startup, for the variables that a reload does not apply. */
  readonly started: Config;
  readonly handlers: Handlers;
  readonly dispatcher: Pick<Dispatcher, "replace">;
  readonly createDestination: (config: DestinationConfig) => Destination;
  /** Reads the configuration again. Throws ConfigError. */
  readonly readConfig: () => Config;
  readonly append: (entry: AuditDraft) => Promise<void>;
  readonly emit: Emit;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/**
 * Reads the configuration again and applies it. If it has an error, all of it is rejected and the current one stays. Both
 * outcomes have audit entries. The promise never rejects because of the configuration.
 */
export type Reload = (trigger: ReloadTrigger) => Promise<void>;

export function createReload(deps: ReloadDeps): Reload {
  const { live, started, handlers, dispatcher, emit, now } = deps;

  /** Returns the names of the destinations that changed. */
  function apply(config: Config): string[] {
    // The handlers module is loaded only at startup, so a changed HANDLERS is ignored here.
    const next = deriveLiveConfig(
      config.handlers.file === started.handlers.file
        ? config
        : { ...config, handlers: started.handlers },
      handlers,
    );
    const { removed, added } = changedDestinations(
      live.current.destinations,
      next.destinations,
    );
    dispatcher.replace({ removed, added: added.map(deps.createDestination) });
    live.current = next;
    return [...new Set([...removed, ...added.map(({ name }) => name)])];
  }

  return async (trigger) => {
    const before = live.current.config;
    const facts = { at: now(), trigger };
    let entries: AuditDraft[];
    try {
      const after = deps.readConfig();
      const destinations = apply(after);
      entries = reloadedEntries(
        { started, before, after },
        { ...facts, destinations },
      );
      report(emit, { before, after, entries });
    } catch (thrown) {
      if (!(thrown instanceof ConfigError)) {
        throw asError(thrown);
      }
      const { errors } = thrown;
      entries = rejectedEntries(errors, facts);
      for (const error of errors) {
        emit({ type: "reload.rejected", trigger, error });
      }
    }
    await Promise.all(entries.map(deps.append));
  };
}

function report(
  emit: Emit,
  reload: { before: Config; after: Config; entries: readonly AuditDraft[] },
): void {
  const { before, after, entries } = reload;
  for (const { action, resource, metadata } of entries) {
    emit({ type: "reload.applied", action, resource, facts: metadata });
  }
  for (const warning of after.warnings) {
    if (!before.warnings.includes(warning)) {
      emit({ type: "config.warning", warning });
    }
  }
}
