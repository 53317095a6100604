import type { ParsedEntry } from "../audit/parsed-entry.ts";
import { coversScope } from "./scopes.ts";

/** What a granted scope was good for in a period. */
export interface ScopeUse {
  readonly scope: string;
  readonly granted: boolean;
  /** Calls that were made with it. */
  readonly calls: number;
  /** Calls that were refused here for want of it. */
  readonly denied: number;
  /** The timestamp of the last of those calls, refused ones too; null = none. */
  readonly lastAt: string | null;
  /** What calls that it covers needed, refused ones too. */
  readonly needed: readonly string[];
  /**
   * `keep`: needed as it is. `narrow`: wider than what was needed, which `needed` names. `drop`: nothing needed it. `grant`:
   * calls were refused for want of it.
   */
  readonly advice: "keep" | "narrow" | "drop" | "grant";
}

interface Needs {
  calls: number;
  denied: number;
  lastAt: string;
}

/** Counts which scopes calls needed, entry by entry, and judges the granted ones by that. */
export function createScopeUse(): {
  /** Takes `hex.api.call` and `hex.api.denied`; others change nothing. */
  readonly entry: (entry: ParsedEntry) => void;
  readonly judge: (granted: readonly string[]) => ScopeUse[];
} {
  const needs = new Map<string, Needs>();

  return {
    entry({ action, timestamp, metadata: { scope, calls } }) {
      if (!action.startsWith("hex.api.") || typeof scope !== "string") {
        return;
      }
      const known = needs.get(scope) ?? { calls: 0, denied: 0, lastAt: "" };
      if (action === "hex.api.denied") {
        known.denied += 1;
      } else {
        // An entry may stand for many calls.
        known.calls += typeof calls === "number" ? calls : 1;
      }
      known.lastAt = timestamp > known.lastAt ? timestamp : known.lastAt;
      needs.set(scope, known);
    },
    judge(granted) {
      const all = [...needs].sort(([a], [b]) => (a < b ? -1 : 1));
      const held = granted.map((scope): ScopeUse => {
        const covered = all.filter(([needed]) => coversScope(scope, needed));
        const needed = covered.map(([name]) => name);
        return {
          scope,
          granted: true,
          ...sumOf(covered.map(([, need]) => need)),
          needed,
          advice: adviceFor(scope, needed, granted),
        };
      });
      const missing = all
        .filter(([needed]) => !granted.some((one) => coversScope(one, needed)))
        .map(([scope, need]): ScopeUse => ({
          scope,
          granted: false,
          ...sumOf([need]),
          needed: [scope],
          advice: "grant",
        }));
      return [...held, ...missing];
    },
  };
}

function sumOf(needs: readonly Needs[]) {
  return {
    calls: needs.reduce((sum, { calls }) => sum + calls, 0),
    denied: needs.reduce((sum, { denied }) => sum + denied, 0),
    lastAt: needs.reduce<string | null>(
      (last, { lastAt }) => (last === null || lastAt > last ? lastAt : last),
      null,
    ),
  };
}

/** A wide scope beside the narrow ones that cover all that was needed is good for nothing. */
function adviceFor(
  scope: string,
  needed: readonly string[],
  granted: readonly string[],
): ScopeUse["advice"] {
  if (needed.includes(scope)) {
    return "keep";
  }
  return needed.every((one) => granted.includes(one)) ? "drop" : "narrow";
}
