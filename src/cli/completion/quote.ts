/** Quotes a text for bash and zsh. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Returns the patterns of a `case` that match each of these texts exactly. */
export function patterns(texts: readonly string[]): string {
  return texts.map(quoted).join(" | ");
}
