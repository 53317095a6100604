import { type Document, isScalar, visit } from "yaml";

/** Aliases in one document. A handful saves repetition; more could only be meant to swell. */
export const MAX_ALIASES = 100;

/** Keys and values, before aliases: room for hundreds of destinations. */
const MAX_NODES = 20_000;

export interface YamlError {
  /** In UTF-16 units of the text. */
  readonly offset: number;
  readonly text: string;
}

/** What is wrong with a document that is well formed: more of everything than there should be. */
export function treeErrors(document: Document.Parsed): YamlError[] {
  const excess = tooMuch(document);
  return excess.length > 0
    ? excess
    : [...duplicateKeys(document), ...wrongAliases(document)];
}

function tooMuch(document: Document.Parsed): YamlError[] {
  const errors: YamlError[] = [];
  let nodes = 0;
  visit(document, {
    Node(_key, { range }) {
      nodes += 1;
      if (nodes <= MAX_NODES) {
        return undefined;
      }
      const text = `more than ${MAX_NODES} keys and values; this looks like no configuration`;
      errors.push({ offset: range?.[0] ?? 0, text });
      return visit.BREAK;
    },
  });
  return errors;
}

function duplicateKeys(document: Document.Parsed): YamlError[] {
  const errors: YamlError[] = [];
  visit(document, {
    Map(_key, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        const name = isScalar(key) ? key.value : key;
        if (seen.has(name)) {
          const offset = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
          errors.push({ offset, text: "this key is there twice; keep one" });
        }
        seen.add(name);
      }
    },
  });
  return errors;
}

function wrongAliases(document: Document.Parsed): YamlError[] {
  const errors: YamlError[] = [];
  let aliases = 0;
  visit(document, {
    Alias(_key, alias) {
      const offset = alias.range?.[0] ?? 0;
      aliases += 1;
      if (aliases > MAX_ALIASES) {
        const text = `more than ${MAX_ALIASES} aliases; write the values out`;
        errors.push({ offset, text });
        return visit.BREAK;
      }
      if (alias.resolve(document) === undefined) {
        errors.push({ offset, text: "this alias has no anchor before it" });
      }
      return undefined;
    },
  });
  return errors;
}
