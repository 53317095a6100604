/** How often the process has died during attempts of a delivery. */
export type CrashLevel = "none" | "once" | "repeatedly";

/**
 * Which deliveries with crashes a worker of functions may claim: none of them, and no others either (`closed`); none of
 * them (`none`); one that has crashed once, beside others (`once`); or one that has crashed repeatedly, which is then
 * attempted alone (`repeatedly`).
 */
export type Pass = "closed" | CrashLevel;

export function crashLevelOf(crashes: number): CrashLevel {
  return crashes === 0 ? "none" : crashes === 1 ? "once" : "repeatedly";
}

/**
 * Only a function can end the process, and a crash does not tell which attempt in flight caused it. So the deliveries of
 * all functions share this quarantine: one that has crashed once is attempted again one at a time; one that has crashed
 * repeatedly, with no other function in flight, so that no innocent delivery is charged with its crash.
 */
export interface Quarantine {
  /** Asks before a claim, which `claimed` must follow unless it is `closed`. `onChange` is called once more is allowed. */
  ask: (onChange: () => void) => Pass;
  /** The claim is over: this many attempts begin, the worst of them with this crash level. */
  claimed: (pass: Pass, begun: number, crashLevel: CrashLevel) => void;
  /** An attempt is over. */
  ended: (crashLevel: CrashLevel) => void;
  /**
   * A delivery that has crashed repeatedly is due: no more attempts begin until those in flight are over; `onChange` is
   * then called first.
   */
  drain: (onChange: () => void) => void;
}

export function createQuarantine(): Quarantine {
  const waiting = new Set<() => void>();
  /** Attempts in flight, and claims. */
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
