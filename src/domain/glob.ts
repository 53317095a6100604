/**
 * Returns a function that matches a text against a pattern. `*` matches any characters, everything else matches itself.
 * Takes linear time: each part between two stars is searched once, after the previous part.
 */
export function createGlob(pattern: string): (text: string) => boolean {
  const pieces = pattern.split("*");
  const first = pieces.shift() ?? "";
  const last = pieces.pop();
  if (last === undefined) {
    return (text) => text === first;
  }
  return (text) => {
    if (
      text.length < first.length + last.length ||
      !text.startsWith(first) ||
      !text.endsWith(last)
    ) {
      return false;
    }
    const end = text.length - last.length;
    let at = first.length;
    for (const piece of pieces) {
      const found = text.indexOf(piece, at);
      if (found === -1 || found + piece.length > end) {
        return false;
      }
      at = found + piece.length;
    }
    return true;
  };
}
