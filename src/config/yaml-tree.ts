import { type Document, isScalar, visit } from "yaml";

/** Maximum number of aliases in one document. A configuration needs few. Many aliases could expand to a huge value. */
export const MAX_ALIASES = 100;

/** Maximum number of keys and values, before aliases are expanded. Enough for hundreds of destinations. */
const MAX_NODES = 20_000;

export interface YamlError {
  /** In UTF-16 units of the text. */
  readonly offset: number;
  readonly text: string;
}

/** Checks a well-formed document for too many values, duplicate keys, and wrong or too many aliases. */
export function treeErrors(document: Document.Parsed): YamlError[] {
  const excess = sizeErrors(document);
  return excess.length > 0
    ? excess
    : [...duplicateKeyErrors(document), ...aliasErrors(document)];
}

function sizeErrors(document: Document.Parsed): YamlError[] {
  const errors: YamlError[] = [];
  let nodes = 0;
  visit(document, {
    Node(_key, { range }) {
      nodes += 1;
      if (nodes <= MAX_NODES) {
        return undefined;
      }
      const text = `more than ${MAX_NODES} keys and values; check that this is the configuration file`;
      errors.push({ offset: range?.[0] ?? 0, text });
      return visit.BREAK;
    },
  });
  return errors;
}

function duplicateKeyErrors(document: Document.Parsed): YamlError[] {
  const errors: YamlError[] = [];
  visit(document, {
    Map(_key, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        const name = isScalar(key) ? key.value : key;
        if (seen.has(name)) {
          const offset = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
          errors.push({ offset, text: "this key is a duplicate; remove it" });
        }
        seen.add(name);
      }
    },
  });
  return errors;
}

function aliasErrors(document: Document.Parsed): YamlError[] {
  const errors: YamlError[] = [];
  let aliases = 0;
  visit(document, {
    Alias(_key, alias) {
      const offset = alias.range?.[0] ?? 0;
      aliases += 1;
      if (aliases > MAX_ALIASES) {
        const text = `more than ${MAX_ALIASES} aliases; write the values themselves`;
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
