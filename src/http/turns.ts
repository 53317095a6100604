/**
 * How long the steps of one turn of the event loop take together before the rest of them wait, in milliseconds. A new
 * connection needs some turns until it is answered, and libuv accepts one in each.
 */
const BUDGET_MS = 2;

/**
 * Shares the event loop: work of any client that would hold up all others if it were done at once is done in short steps, in
 * rotation, and between two turns everything else gets its time.
 */
export interface Turns {
  /** Calls `step` once a round until it returns false. Adding a step that waits already changes nothing. */
  readonly add: (step: () => boolean) => void;
  /** More connections may be waiting to be accepted, one a turn: this turn is to be a short one. */
  readonly hurry: () => void;
  /** Whether this turn has time left for what could wait. */
  readonly hasTime: () => boolean;
  /** Calls `task` when it is its turn. Settles as the task does. */
  readonly run: <T>(task: () => Promise<T>) => Promise<T>;
}

export function createTurns(
  now: () => number = () => performance.now(),
): Turns {
  const waiting = new Set<() => boolean>();
  let scheduled = false;
  let hurried = false;
  let measuring = false;
  let end = 0;

  function turn(): void {
    scheduled = false;
    goOn(hurried ? 0 : now() + BUDGET_MS);
    hurried = false;
  }

  function goOn(until: number): void {
    // One that is added again comes last, so that this goes round until the time is up.
    for (const step of waiting) {
      waiting.delete(step);
      if (step()) {
        waiting.add(step);
      }
      break;
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

  function hasTime(): boolean {
    if (!measuring) {
      measuring = true;
      end = now() + BUDGET_MS;
      setImmediate(() => {
        measuring = false;
      });
    }
    return !hurried && now() < end;
  }

  function hurry(): void {
    hurried = true;
    schedule();
  }

  function add(step: () => boolean): void {
    waiting.add(step);
    schedule();
  }

  return {
    add,
    hurry,
    hasTime,
    run: (task) =>
      new Promise((resolve) => {
        add(() => {
          // A promise that rejects makes this one reject.
          resolve(task());
          return false;
        });
      }),
  };
}
