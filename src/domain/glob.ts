/**
 * Whether a text fits a pattern in which `*` stands for any characters and everything else for itself. In linear time:
 * each piece between two stars is looked for once, behind the one before.
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
