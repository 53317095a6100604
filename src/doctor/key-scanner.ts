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

/** A key in a text, by its line. Never the key. */
export interface ScannedKey {
  readonly line: number;
  readonly rule: string;
  readonly fingerprint: string;
}

/** Lets a comment switch rules off, for ever and unseen: the allow-list is for that, which has a date. */
const COMMENTS = "@secretlint/secretlint-rule-filter-comments";

const CONFIG = {
  rules: rules
    .filter(({ meta }) => meta.id !== COMMENTS)
    .map((rule) => ({ id: rule.meta.id, rule, options: {} })),
};

// It notes when each rule begins and ends, keeps all notes and goes through them at each new one: a history of some thousand
// files would take minutes. May go when secretlint measures only on request.
secretLintProfiler.mark = () => undefined;

/** More are not told of one file: it is a list of keys then. */
const MAX_MATCHES = 1000;

/** Finds keys in the bytes of a file: those that are `known`, and what looks like one. */
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

/** Of matches that overlap the first counts: the surer rules come first. */
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
