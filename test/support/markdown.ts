/* Reads the parts of a Markdown document that tests compare with the code. */

const FENCED_BLOCK = /^```(\w*)\n(.*?)^```$/gms;

/** Returns the contents of all code blocks in a language, in their order. */
export function codeBlocks(text: string, language: string): string[] {
  return [...text.matchAll(FENCED_BLOCK)].flatMap(([, name, content]) =>
    name === language ? [content!] : [],
  );
}

/** Returns the only code block in a language that contains a text. Throws if there is none, or more than one. */
export function codeBlock(
  text: string,
  language: string,
  containing: string,
): string {
  const [found, another] = codeBlocks(text, language).filter((block) =>
    block.includes(containing),
  );
  if (found === undefined || another !== undefined) {
    throw new Error(`not exactly one ${language} block has ${containing}`);
  }
  return found;
}

const withoutCode = (text: string): string => text.replace(FENCED_BLOCK, "");

/** Returns the anchors of all headings, as GitHub makes them, without the numbers that it adds to repeated ones. */
export function anchors(text: string): string[] {
  return [...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** Returns the targets of all links and images. */
export function linkTargets(text: string): string[] {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(
    ([, target]) => target!,
  );
}

/** Returns the text of all table cells, also those of heading rows. */
export function tableCells(text: string): string[] {
  return [...withoutCode(text).matchAll(/^\|(.+)\|$/gm)].flatMap(([, row]) =>
    row!
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim())
      .filter((cell) => !/^:?-+:?$/.test(cell)),
  );
}
