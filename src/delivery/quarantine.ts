/**
 * What a worker of functions may claim: nothing (`closed`); no suspects (`none`); one suspect of a single death, beside
 * others (`mild`); or one of several deaths, which then is attempted with nothing beside it (`grave`).
 */
export type Pass = "closed" | "none" | "mild" | "grave";

/** How much of a suspect a delivery is, by the deaths of the process during its attempts. */
export type Suspicion = "none" | "mild" | "grave";

export function suspicionOf(crashes: number): Suspicion {
  return crashes === 0 ? "none" : crashes === 1 ? "mild" : "grave";
}

/**
 * Only a function can end the process, and a death tells of none of those that were under way. So the deliveries of all
 * functions share this: what was under way once is attempted again one at a time; what was under way twice, with nothing
 * else of a function beside it, so that from then on no innocent one is charged with another's deed.
 */
export interface Quarantine {
  /** Asks before a claim, which `claimed` must follow unless it is `closed`. `onChange` is called once more is allowed. */
  ask: (onChange: () => void) => Pass;
  /** The claim is over: so many attempts begin, the gravest of them under this suspicion. */
  claimed: (pass: Pass, begun: number, suspicion: Suspicion) => void;
  /** An attempt is over. */
  ended: (suspicion: Suspicion) => void;
  /** A grave suspect is due: no more attempts begin until those under way are over; `onChange` is called first then. */
  drain: (onChange: () => void) => void;
}

export function createQuarantine(): Quarantine {
  const waiting = new Set<() => void>();
  /** Attempts under way, and claims. */
  let active = 0;
  let mildTaken = false;
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
        return "grave";
      }
      if (mildTaken) {
        waiting.add(onChange);
        return "none";
      }
      mildTaken = true;
      return "mild";
    },
    claimed(pass, begun, suspicion) {
      active += begun - 1;
      if (pass === "grave") {
        exclusive = suspicion === "grave";
        mildTaken = suspicion === "mild";
      } else if (pass === "mild") {
        mildTaken = suspicion === "mild";
      }
      notify();
    },
    ended(suspicion) {
      active -= 1;
      if (suspicion === "grave") {
        exclusive = false;
      } else if (suspicion === "mild") {
        mildTaken = false;
      }
      if (suspicion !== "none" || active === 0) {
        notify();
      }
    },
    drain(onChange) {
      drainer = onChange;
    },
  };
}
