/** How often the process has crashed during attempts of a delivery. */
export type CrashLevel = "none" | "once" | "repeatedly";

/**
 * What a worker of a handler may claim:
 * - `closed`: nothing
 * - `none`: deliveries that never crashed
 * - `once`: these, and one delivery that crashed once
 * - `repeatedly`: any delivery, and one that crashed repeatedly is then attempted alone
 */
export type Pass = "closed" | CrashLevel;

export function crashLevelOf(crashes: number): CrashLevel {
  return crashes === 0 ? "none" : crashes === 1 ? "once" : "repeatedly";
}

/**
 * Limits the attempts of deliveries that were in flight when the process crashed. Only a handler can end the process, and a
 * crash does not show which attempt caused it. So the deliveries to all handlers share this quarantine. Of the deliveries
 * that crashed once, only one at a time is attempted. A delivery that crashed repeatedly is attempted while no other handler
 * runs, so that its next crash is attributed to it alone.
 */
export interface Quarantine {
  /**
   * Returns what the next claim may take. If it is not `closed`, the caller must call `claimed` afterwards. `onChange` is
   * called when more is allowed.
   */
  ask: (onChange: () => void) => Pass;
  /** Ends a claim: `begun` attempts start, and `crashLevel` is the highest crash level of their deliveries. */
  claimed: (pass: Pass, begun: number, crashLevel: CrashLevel) => void;
  /** Records the end of an attempt. */
  ended: (crashLevel: CrashLevel) => void;
  /**
   * Starts no more attempts until those in flight have ended, because a delivery that crashed repeatedly is due. `onChange`
   * is then called before all others.
   */
  drain: (onChange: () => void) => void;
}

export function createQuarantine(): Quarantine {
  const waiting = new Set<() => void>();
  /** The number of attempts in flight and of claims in progress. */
  let active = 0;
  let isOnceTaken = false;
  let exclusive = false;
  let drainer: (() => void) | null = null;

  function notify(): void {
    const listeners = [...(drainer === null ? [] : [drainer]), ...waiting];
    waiting.clear();
    for (const listener of listeners) {
      listener();
    }
  }

  return {
    ask(onChange) {
      if (exclusive || (drainer !== null && active > 0)) {
        waiting.add(onChange);
        return "closed";
      }
      active += 1;
      if (active === 1) {
        drainer = null;
        exclusive = true;
        return "repeatedly";
      }
      if (isOnceTaken) {
        waiting.add(onChange);
        return "none";
      }
      isOnceTaken = true;
      return "once";
    },
    claimed(pass, begun, crashLevel) {
      active += begun - 1;
      if (pass === "repeatedly") {
        exclusive = crashLevel === "repeatedly";
        isOnceTaken = crashLevel === "once";
      } else if (pass === "once") {
        isOnceTaken = crashLevel === "once";
      }
      notify();
    },
    ended(crashLevel) {
      active -= 1;
      if (crashLevel === "repeatedly") {
        exclusive = false;
      } else if (crashLevel === "once") {
        isOnceTaken = false;
      }
      if (crashLevel !== "none" || active === 0) {
        notify();
      }
    },
    drain(onChange) {
      drainer = onChange;
    },
  };
}
