/** Types come from senders: beyond this number they are counted only. */
const MAX_TYPES = 1000;

/** A warning of the operational log about unrouted events. */
export interface UnroutedWarning {
  readonly message: string;
  readonly fields: object;
}

/**
 * Chooses which unrouted events are warned of: the first of each type and source, in bounded memory. `unrouted` in a warning
 * is the number of unrouted events so far.
 */
export function createUnroutedTypes(maxTypes: number = MAX_TYPES): {
  note: (source: string, eventType: string) => UnroutedWarning | null;
} {
  const known = new Set<string>();
  let unrouted = 0;
  let isFull = false;

  return {
    note(source, eventType) {
      unrouted += 1;
      // The name of a source has no space.
      const key = `${source} ${eventType}`;
      if (isFull || known.has(key)) {
        return null;
      }
      if (known.size === maxTypes) {
        isFull = true;
        known.clear();
        return {
          message:
            "unrouted events have too many types: no more are logged until the restart",
          fields: { types: maxTypes, unrouted },
        };
      }
      known.add(key);
      return {
        message: "event unrouted: no destination matches its type",
        fields: { source, eventType, unrouted },
      };
    },
  };
}
