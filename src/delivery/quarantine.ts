/**
 * One place for all handler deliveries during which the process died before: attempted one at a time, so that when it
 * dies again, the one that ends it is told from those that happened to be under way.
 */
export interface Quarantine {
  /** Takes the place; false when it is taken. */
  enter: () => boolean;
  leave: () => void;
  /** `listener` is called whenever the place has become free. */
  onFree: (listener: () => void) => void;
}

export function createQuarantine(): Quarantine {
  const listeners: (() => void)[] = [];
  let taken = false;
  return {
    enter() {
      if (taken) {
        return false;
      }
      taken = true;
      return true;
    },
    leave() {
      taken = false;
      for (const listener of listeners) {
        listener();
      }
    },
    onFree(listener) {
      listeners.push(listener);
    },
  };
}
