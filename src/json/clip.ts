/** A text as far as it fits, and what it takes in a line of JSON, in characters without its quotes. */
export interface Clipped {
  readonly text: string;
  readonly cost: number;
}

/** Room for the note on what was cut: one ellipsis, escaped, and a number. */
const NOTE_COST = 40;

/**
 * Cuts a text to `max` characters of ASCII JSON and says how long it was. A control character or a letter beyond ASCII takes six
 * characters there. Looks at no more of the text than fits.
 */
export function clipJson(text: string, max: number): Clipped {
  const room = Math.max(0, max - NOTE_COST);
  let cost = 0;
  /** Where the text is cut when all of it does not fit, and the cost up to there. */
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
