/** The colours of a terminal that any theme shows. */
const CODES = { red: 31, green: 32, yellow: 33 } as const;

/** Text in a colour. It must not contain escape sequences itself. */
export function coloured(colour: keyof typeof CODES, text: string): string {
  return `\u001b[${CODES[colour]}m${text}\u001b[0m`;
}
