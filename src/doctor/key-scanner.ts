import { lintSource } from "@secretlint/core";
import { secretLintProfiler } from "@secretlint/profiler";
import { rules } from "@secretlint/secretlint-rule-preset-recommend";
import { decode } from "./decode.ts";
import { fingerprintOf } from "../domain/key-id.ts";
import {
  genericMatches,
  type KeyMatch,
  knownMatches,
  sureMatches,
} from "./key-rules.ts";

/** A key found in a text. Never contains the key. */
export interface ScannedKey {
  readonly line: number;
  readonly rule: string;
  readonly fingerprint: string;
}

/** The rule that lets comments disable other rules. It is left out: comments never expire, while entries of the allow-list do. */
const COMMENTS = "@secretlint/secretlint-rule-filter-comments";

const CONFIG = {
  rules: rules
    .filter(({ meta }) => meta.id !== COMMENTS)
    .map((rule) => ({ id: rule.meta.id, rule, options: {} })),
};

// The profiler keeps a mark for the start and the end of each rule, and searches all marks for each new one. A history of several
// thousand files would take minutes. Remove this line when secretlint profiles only on request.
secretLintProfiler.mark = () => undefined;

/** Maximum number of keys that are reported for one file. */
const MAX_MATCHES = 1000;

/** Creates a function that finds keys in the bytes of a file. It finds the `known` keys literally, and other keys by rules. */
export function createKeyScanner(
  known: readonly string[],
): (bytes: Buffer, name: string) => Promise<ScannedKey[]> {
  return async (bytes, name) => {
    const { text, isText } = decode(bytes);
    const matches = [
      ...knownMatches(text, known),
      ...sureMatches(text),
      ...(isText ? await secretlintMatches(text, name) : []),
      ...(isText ? genericMatches(text) : []),
    ];
    return scannedKeys(text, matches);
  };
}

async function secretlintMatches(
  content: string,
  filePath: string,
): Promise<KeyMatch[]> {
  const { messages } = await lintSource({
    source: {
      content,
      filePath,
      contentType: "text",
      ext: extensionOf(filePath),
    },
    options: { config: CONFIG, noPhysicFilePath: true, locale: "en" },
  });
  return messages.map(({ ruleId, range: [start, end] }) => ({
    rule: ruleId.replace(/^@secretlint\/secretlint-rule-/, ""),
    start,
    end,
  }));
}

function extensionOf(name: string): string {
  return /\.[^./]*$/.exec(name)?.[0] ?? "";
}

/** Returns the keys in the order of their lines. Keeps the first of overlapping matches: more specific rules match first. */
function scannedKeys(text: string, matches: readonly KeyMatch[]): ScannedKey[] {
  const taken: KeyMatch[] = [];
  for (const match of matches) {
    if (taken.length === MAX_MATCHES) {
      break;
    }
    if (
      !taken.some(({ start, end }) => match.start < end && start < match.end)
    ) {
      taken.push(match);
    }
  }
  taken.sort((a, b) => a.start - b.start);
  let line = 1;
  let counted = 0;
  return taken.map(({ rule, start, end }) => {
    for (
      let at = text.indexOf("\n", counted);
      at !== -1 && at < start;
      at = text.indexOf("\n", counted)
    ) {
      line += 1;
      counted = at + 1;
    }
    return { line, rule, fingerprint: fingerprintOf(text.slice(start, end)) };
  });
}
