/** ANSI codes of colours that are readable in every theme of a terminal. */
const CODES = { red: 31, green: 32, yellow: 33 } as const;

/** Returns the text in a colour. The text must not contain escape sequences. */
export function coloured(colour: keyof typeof CODES, text: string): string {
  return `\u001b[${CODES[colour]}m${text}\u001b[0m`;
}
