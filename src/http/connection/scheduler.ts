/**
 * Time that steps may take in one turn of the event loop, in milliseconds. libuv accepts one connection a turn, so a longer
 * turn delays new connections.
 */
const BUDGET_MS = 2;

/**
 * Added to a task's time whenever it is added, in milliseconds. Without it a flood of new tasks, which have spent no time,
 * would starve the waiting ones.
 */
const NEW_TASK_COST_MS = 0.02;

/** Work that is done in steps. */
export interface Task {
  /** Does a short piece of it; returns whether there is more. Does not throw. */
  readonly step: () => boolean;
  /** The time that its steps have taken, in milliseconds; begins with 0, and is updated by the scheduler. */
  spent: number;
}

/**
 * Shares the event loop: work of any client that would hold up all others if it were done at once is done in short steps.
 * The task that has used least time runs next, so that one with expensive steps does not hold up one with cheap
 * steps. Between two turns the event loop does everything else.
 */
export interface Scheduler {
  /** Runs `task` until it is done. Adding a waiting task has no effect. */
  readonly add: (task: Task) => void;
  /** Shortens the next turn, because more connections may be waiting to be accepted. */
  readonly shortenTurn: () => void;
  /** Calls `work`, which takes about `costMs`, when it is its turn. Settles as that does. */
  readonly run: <T>(costMs: number, work: () => Promise<T>) => Promise<T>;
}

/** `now`: milliseconds of a monotonic clock. */
export function createScheduler(now: () => number): Scheduler {
  const waiting = new Set<Task>();
  /** The least time that a waiting task has had: a later task gets no credit for time before it was added. */
  let floor = 0;
  let scheduled = false;
  let isShortened = false;

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
    runUntil(isShortened ? 0 : now() + BUDGET_MS);
    isShortened = false;
  }

  function runUntil(until: number): void {
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
      // Lets microtasks started by the step run within this turn's budget.
      queueMicrotask(() => {
        runUntil(until);
      });
    } else {
      schedule();
    }
  }

  function schedule(): void {
    if (!scheduled && (waiting.size > 0 || isShortened)) {
      scheduled = true;
      setImmediate(turn);
    }
  }

  function add(task: Task): void {
    if (!waiting.has(task)) {
      task.spent = Math.max(task.spent, floor) + NEW_TASK_COST_MS;
      waiting.add(task);
      schedule();
    }
  }

  return {
    add,
    shortenTurn() {
      isShortened = true;
      schedule();
    },
    run: (costMs, work) =>
      new Promise((resolve) => {
        add({
          // In advance: it has one step, after which no account is kept.
          spent: floor + costMs,
          step() {
            // A promise that rejects makes this one reject.
            resolve(work());
            return false;
          },
        });
      }),
  };
}
