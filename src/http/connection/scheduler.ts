import { AsyncResource } from "node:async_hooks";

/**
 * Maximum time for steps in one turn of the event loop, in milliseconds. libuv accepts one connection in each turn, so
 * longer turns delay new connections.
 */
const BUDGET_MS = 2;

/**
 * Added to the time of a task whenever it is added, in milliseconds. Without it, a flood of new tasks would always run
 * before the waiting ones.
 */
const NEW_TASK_COST_MS = 0.02;

/** Work that is split into steps. */
export interface Task {
  /** Runs one short step. Returns whether another one follows. Must not throw. */
  readonly step: () => boolean;
  /** The total time of its steps, in milliseconds. Starts at 0; the scheduler updates it. */
  spent: number;
}

/**
 * Shares the event loop between clients. Work that would block it for long runs as a task in short steps. The task that has
 * used the least time runs next, so expensive steps of one client do not delay the cheap steps of another.
 */
export interface Scheduler {
  /** Runs `task` until it is done. Adding a waiting task has no effect. */
  readonly add: (task: Task) => void;
  /** Limits the next turn to one step, because more connections may be waiting to be accepted. */
  readonly shortenTurn: () => void;
  /** Queues `work`, which takes about `costMs`, as a task with one step. Returns the result of `work`. */
  readonly run: <T>(costMs: number, work: () => Promise<T>) => Promise<T>;
}

/** Creates a scheduler. `now` returns milliseconds of a monotonic clock. */
export function createScheduler(now: () => number): Scheduler {
  const waiting = new Set<Task>();
  /** The used time of the task that ran last. A new task starts with this, so that it does not run before all others. */
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
      // Microtasks that the step has queued run first, and count towards the time of this turn.
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
    run: (costMs, work) => {
      // The step may run in the asynchronous context of another client's request.
      const bound = AsyncResource.bind(work);
      return new Promise((resolve) => {
        add({
          // Charged in advance: a task with one step is not charged afterwards.
          spent: floor + costMs,
          step() {
            // If `work` rejects, so does this promise.
            resolve(bound());
            return false;
          },
        });
      });
    },
  };
}
