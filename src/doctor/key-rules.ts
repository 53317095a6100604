import { looksRandom } from "./key-shape.ts";

/** A key in a text, from `start` to `end` in UTF-16 units. */
export interface KeyMatch {
  readonly rule: string;
  readonly start: number;
  readonly end: number;
}

/** A pattern whose only group is the key. `isKey` rejects false matches. */
interface KeyRule {
  readonly name: string;
  readonly pattern: RegExp;
  readonly isKey: (key: string) => boolean;
}

/** Documents often write placeholders with dots or repeated letters. */
const isNoPlaceholder = (key: string): boolean =>
  new Set(key.replace(/^.*_/, "")).size >= 5 &&
  !/x{4}|\.\.\.|example|placeholder|your/i.test(key);

/** Rules for keys that the preset of secretlint does not find. They are specific enough to be used on binary files. */
const SURE_RULES: readonly KeyRule[] = [
  {
    name: "live-key",
    pattern: /(?<![A-Za-z0-9])((?:sk|rk)_live_[A-Za-z0-9_-]{8,200})/dg,
    isKey: isNoPlaceholder,
  },
  {
    name: "webhook-secret",
    pattern: /(?<![A-Za-z0-9])(whsec_[A-Za-z0-9+/=_-]{24,200})/dg,
    isKey: (key) => looksRandom(key.slice("whsec_".length)),
  },
  {
    name: "private-key",
    pattern:
      /(-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY-----(?:\\r|\\n|\s|[A-Za-z0-9+/=:,-]){64,8192}?-----END)/dg,
    isKey: () => true,
  },
];

/** Finds a key of any service that is assigned to a telling name, such as `NAME_KEY=…`. */
const GENERIC_RULE: KeyRule = {
  name: "generic-key",
  pattern:
    /(?:(?:api|access|auth|read|write|signing|client|service|private|encryption|account)[_-]?key|secret(?:[_-]?key)?(?:[_-]?previous)?|token|passwd|password)\\?["'`]?[ \t]{0,8}(?:=>|:=|[:=])[ \t]{0,8}\\?["'`]?([A-Za-z0-9+/_=.~-]{16,256})/dgi,
  isKey: looksRandom,
};

/** Finds keys with an unmistakable prefix, and private keys between BEGIN and END lines. */
export function sureMatches(text: string): KeyMatch[] {
  return SURE_RULES.flatMap((rule) => matchesOf(rule, text));
}

/** Finds random-looking values that are assigned to a name such as `api_key`. */
export function genericMatches(text: string): KeyMatch[] {
  return matchesOf(GENERIC_RULE, text);
}

function matchesOf(
  { name, pattern, isKey }: KeyRule,
  text: string,
): KeyMatch[] {
  return [...text.matchAll(pattern)].flatMap((match): KeyMatch[] => {
    const [start, end] = match.indices?.[1] ?? [0, 0];
    return isKey(match[1] ?? "") ? [{ rule: name, start, end }] : [];
  });
}

/** Finds every occurrence of the `known` secrets. */
export function knownMatches(
  text: string,
  known: readonly string[],
): KeyMatch[] {
  return known.flatMap((key) => {
    const matches: KeyMatch[] = [];
    for (
      let start = text.indexOf(key);
      start !== -1;
      start = text.indexOf(key, start + key.length)
    ) {
      const end = start + key.length;
      matches.push({ rule: "configured-key", start, end });
    }
    return matches;
  });
}
