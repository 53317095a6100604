/**
 * How long the steps of one turn of the event loop take together before the rest of them wait, in milliseconds. A new
 * connection needs some turns until it is answered, and libuv accepts one in each.
 */
const BUDGET_MS = 2;

/** The same in a turn in which a connection was accepted. */
const HURRIED_BUDGET_MS = 0.5;

/**
 * What it costs to come (again), in milliseconds: those that always come anew, with no time spent, would otherwise be before
 * those that wait, for ever.
 */
const ENTRY_MS = 0.02;

/** Work that is done in steps. */
export interface Task {
  /** Does a short piece of it; returns whether there is more. Does not throw. */
  readonly step: () => boolean;
  /** The time that its steps have taken, in milliseconds; begins with 0, and is kept by `Turns`. */
  spent: number;
}

/**
 * Shares the event loop: work of any client that would hold up all others if it were done at once is done in short steps.
 * The task that has had least time comes next, so that one whose steps are expensive does not hold up one whose steps are
 * cheap; and between two turns everything else gets its time.
 */
export interface Turns {
  /** Steps `task` until it has no more. Adding one that waits already changes nothing. */
  readonly add: (task: Task) => void;
  /** More connections may be waiting to be accepted, one a turn: this turn is to be a short one. */
  readonly hurry: () => void;
  /** Calls `work` when it is its turn. Settles as that does. */
  readonly run: <T>(work: () => Promise<T>) => Promise<T>;
}

/** `now`: milliseconds of a monotonic clock. */
export function createTurns(now: () => number): Turns {
  const waiting = new Set<Task>();
  /** The least time that a waiting task has had: one that comes later has no claim to the time before. */
  let floor = 0;
  let scheduled = false;
  let hurried = false;

  function next(): Task | undefined {
    let least: Task | undefined;
    for (const task of waiting) {
      if (least === undefined || task.spent < least.spent) {
        least = task;
      }
    }
    return least;
  }

  function turn(): void {
    scheduled = false;
    goOn(now() + (hurried ? HURRIED_BUDGET_MS : BUDGET_MS));
    hurried = false;
  }

  function goOn(until: number): void {
    const task = next();
    if (task !== undefined) {
      waiting.delete(task);
      floor = task.spent;
      const began = now();
      const more = task.step();
      task.spent += now() - began;
      if (more) {
        waiting.add(task);
      }
    }
    if (waiting.size > 0 && now() < until) {
      // What the step has begun goes on in microtasks, which are of this turn too.
      queueMicrotask(() => {
        goOn(until);
      });
    } else {
      schedule();
    }
  }

  function schedule(): void {
    if (!scheduled && (waiting.size > 0 || hurried)) {
      scheduled = true;
      setImmediate(turn);
    }
  }

  function add(task: Task): void {
    if (!waiting.has(task)) {
      task.spent = Math.max(task.spent, floor) + ENTRY_MS;
      waiting.add(task);
      schedule();
    }
  }

  return {
    add,
    hurry() {
      hurried = true;
      schedule();
    },
    run: (work) =>
      new Promise((resolve) => {
        add({
          spent: 0,
          step() {
            // A promise that rejects makes this one reject.
            resolve(work());
            return false;
          },
        });
      }),
  };
}
