import type { ChainHead } from "../chain.ts";

/**
 * Which anchors must be in the trail. An anchor file is in the order of time, and the trail loses its oldest entries first:
 * a store those that the retention deletes, a stream those that were printed before it begins. So of a writer that is not
 * there, anchors count only after the last one that is deleted, and in a stream after the first one that is found, if any.
 */
export function expectedAnchors(
  anchors: readonly ChainHead[],
  facts: {
    readonly isStore: boolean;
    readonly isMet: (anchor: ChainHead) => boolean;
    readonly isPurged: (anchor: ChainHead) => boolean;
    readonly isThere: (writer: string) => boolean;
  },
): ChainHead[] {
  const { isStore, isMet, isPurged, isThere } = facts;
  const firstFound = isStore ? 0 : Math.max(0, anchors.findIndex(isMet));
  const from = Math.max(firstFound, anchors.findLastIndex(isPurged) + 1);
  return anchors.filter(
    (anchor, n) => !isPurged(anchor) && (n >= from || isThere(anchor.writer)),
  );
}
