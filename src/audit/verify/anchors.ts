import type { ChainHead } from "../chain.ts";

/**
 * Returns the anchors that must be in the trail. An anchor file is in chronological order, and the trail loses its oldest
 * entries first: in a store by the retention, in a stream because it begins later. So all anchors of a present writer must
 * be there, except deleted ones. Anchors of an absent writer must be there only if they come after the last deleted anchor.
 * In a stream, they must also come after the first anchor that was found, if any.
 */
export function expectedAnchors(
  anchors: readonly ChainHead[],
  facts: {
    readonly isStore: boolean;
    readonly isFound: (anchor: ChainHead) => boolean;
    readonly isPurged: (anchor: ChainHead) => boolean;
    readonly isPresent: (writer: string) => boolean;
  },
): ChainHead[] {
  const { isStore, isFound, isPurged, isPresent } = facts;
  const firstFound = isStore ? 0 : Math.max(0, anchors.findIndex(isFound));
  const from = Math.max(firstFound, anchors.findLastIndex(isPurged) + 1);
  return anchors.filter(
    (anchor, n) => !isPurged(anchor) && (n >= from || isPresent(anchor.writer)),
  );
}
