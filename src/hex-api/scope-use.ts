import type { ParsedEntry } from "../audit/parsed-entry.ts";
import { coversScope } from "./scopes.ts";

/** How a scope was used in a period. */
export interface ScopeUse {
  readonly scope: string;
  readonly granted: boolean;
  /** Number of calls that used it. */
  readonly calls: number;
  /** Number of calls that were denied locally. */
  readonly denied: number;
  /** The timestamp of the last of these calls, sent or denied; null = there was no call. */
  readonly lastAt: string | null;
  /** The scopes that these calls needed. */
  readonly needed: readonly string[];
  /**
   * `keep`: calls need exactly this scope. `narrow`: calls need only the scopes in `needed`. `drop`: no call needs it. `grant`:
   * calls need it, but it is not granted.
   */
  readonly advice: "keep" | "narrow" | "drop" | "grant";
}

interface Needs {
  calls: number;
  denied: number;
  lastAt: string;
}

/** Counts the scopes that calls needed, and compares them with the granted ones. */
export function createScopeUse(): {
  /** Counts an entry `hex.api.call` or `hex.api.denied`. Ignores others. */
  readonly entry: (entry: ParsedEntry) => void;
  readonly judge: (granted: readonly string[]) => ScopeUse[];
} {
  const needs = new Map<string, Needs>();

  return {
    entry({ action, timestamp, metadata: { scope, calls } }) {
      if (!action.startsWith("hex.api.") || typeof scope !== "string") {
        return;
      }
      const counts = needs.get(scope) ?? { calls: 0, denied: 0, lastAt: "" };
      if (action === "hex.api.denied") {
        counts.denied += 1;
      } else {
        // A summary entry counts many calls.
        counts.calls += typeof calls === "number" ? calls : 1;
      }
      counts.lastAt = timestamp > counts.lastAt ? timestamp : counts.lastAt;
      needs.set(scope, counts);
    },
    judge(granted) {
      const all = [...needs].sort(([a], [b]) => (a < b ? -1 : 1));
      const ofGranted = granted.map((scope): ScopeUse => {
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
      return [...ofGranted, ...missing];
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

/** Returns the advice for a granted scope. A wide scope can be dropped if all needed scopes are also granted separately. */
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
