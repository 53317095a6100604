/** Distinguishes random keys from words, placeholders and names of variables. */

const MIN_LENGTH = 16;

/** Bits per character. Random hex digits have up to 4, random letters and digits up to 6, English words about 3. */
const MIN_ENTROPY_HEX = 3;
const MIN_ENTROPY = 3.3;

/** Words that show that a text is an example, not a key. */
const EXAMPLE_WORD =
  /(?:^|[^a-z])(?:test|tests|testing|example|sample|dummy|fake|mock|placeholder|changeme|change|replace|your|foo|bar|xxx+|todo|none|null|undefined)(?:$|[^a-z])/i;

/** An expression that reads a key, such as `process.env.X`, `config.key`, `${X}` or `getKey`. */
const REFERENCE =
  /^(?:\$|[a-z_$][\w$]*(?:\.[a-z_$][\w$]*)+$|[a-z]+(?:[A-Z][a-z]{2,}\d*)+$)/;

/** A JSON Web Token. It looks like names joined by dots, but is a key. */
const WEB_TOKEN = /^eyJ[\w-]+\.eyJ/;

/** Whether a text is probably a random key. */
export function looksRandom(text: string): boolean {
  if (
    text.length < MIN_LENGTH ||
    !/\d/.test(text) ||
    !/[a-z]/i.test(text) ||
    EXAMPLE_WORD.test(text) ||
    isSequence(text)
  ) {
    return false;
  }
  if (!WEB_TOKEN.test(text) && (REFERENCE.test(text) || isWords(text))) {
    return false;
  }
  const minimum = /^[0-9a-f-]+$/i.test(text) ? MIN_ENTROPY_HEX : MIN_ENTROPY;
  return entropyOf(text) >= minimum;
}

/** Returns the Shannon entropy in bits per character. */
function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) {
    counts.set(char, (counts.get(char) ?? 0) + 1);
  }
  let bits = 0;
  for (const count of counts.values()) {
    const share = count / text.length;
    bits -= share * Math.log2(share);
  }
  return bits;
}

/** Whether at least half of the parts are words, as in `another-signing-secret-01`. */
function isWords(text: string): boolean {
  const parts = text.split(/[-_.:/]/);
  const words = parts.filter((part) =>
    /^(?:[A-Z]?[a-z]{3,}|[A-Z]{3,})$/.test(part),
  );
  return words.length >= 2 && words.length * 2 >= parts.length;
}

/** Whether a text contains a typed sequence such as `0123456789`. */
function isSequence(text: string): boolean {
  return /0123456789|123456789|abcdefghij/i.test(text);
}
