/** A text, cut if it was too long. `cost`: its length as ASCII JSON, in characters, without the quotes. */
export interface Clipped {
  readonly text: string;
  readonly cost: number;
}

/** Space for the note on the original length: an escaped ellipsis, a number and `characters`. */
const NOTE_COST = 40;

/**
 * Cuts a text to `max` characters of ASCII JSON, and appends a note on its original length. Control characters and characters
 * outside ASCII take six characters each. Reads only the part of the text that fits.
 */
export function clipJson(text: string, max: number): Clipped {
  const room = Math.max(0, max - NOTE_COST);
  let cost = 0;
  /** Where to cut the text if it is too long, and the cost of the text before that position. */
  let cut = { at: 0, cost: 0 };
  for (let at = 0; at < text.length; at += 1) {
    if (cost <= room && !isLowSurrogate(text.charCodeAt(at))) {
      cut = { at, cost };
    }
    cost += costOf(text.charCodeAt(at));
    if (cost > max) {
      return {
        text: `${text.slice(0, cut.at)}… (${text.length} characters)`,
        cost: cut.cost + NOTE_COST,
      };
    }
  }
  return { text, cost };
}

function costOf(code: number): number {
  if (code < 0x20 || code > 0x7e) {
    return 6;
  }
  return code === 0x22 || code === 0x5c ? 2 : 1;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
