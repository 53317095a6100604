/** Maximum number of event types that are remembered. Types come from senders, so their number has no other bound. */
const MAX_TYPES = 1000;

/** A warning of the operational log about unrouted events. */
export interface UnroutedWarning {
  readonly message: string;
  readonly fields: object;
}

/**
 * Chooses the unrouted events that get a warning: the first of each source and type. Its memory is bounded. `unrouted` in a
 * warning is the number of unrouted events up to then.
 */
export function createUnroutedTypes(maxTypes: number = MAX_TYPES): {
  note: (source: string, eventType: string) => UnroutedWarning | null;
} {
  const warned = new Set<string>();
  let unrouted = 0;
  let isFull = false;

  return {
    note(source, eventType) {
      unrouted += 1;
      // The name of a source contains no space, so the key is unambiguous.
      const key = `${source} ${eventType}`;
      if (isFull || warned.has(key)) {
        return null;
      }
      if (warned.size === maxTypes) {
        isFull = true;
        warned.clear();
        return {
          message: "too many types of unrouted events: warnings stopped",
          fields: { types: maxTypes, unrouted },
        };
      }
      warned.add(key);
      return {
        message: "event unrouted: no destination matches its type",
        fields: { source, eventType, unrouted },
      };
    },
  };
}
