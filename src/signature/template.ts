/** The values of the placeholders in a template, as received. */
export interface SignedParts {
  readonly id: string;
  readonly timestamp: string;
  readonly method: string;
  readonly url: string;
  readonly body: Buffer;
}

export const PLACEHOLDERS = [
  "id",
  "timestamp",
  "body",
  "method",
  "url",
] as const;

export type Placeholder = (typeof PLACEHOLDERS)[number];

type Segment = { readonly literal: string } | { readonly name: Placeholder };

export interface Template {
  readonly names: ReadonlySet<Placeholder>;
  /** Returns the signed bytes, in order, without copying the body. Text is in latin1, as Node decodes headers. */
  readonly fill: (parts: SignedParts) => readonly (string | Buffer)[];
}

const PLACEHOLDER = /\{([^{}]*)\}/;

function isPlaceholder(name: string): name is Placeholder {
  return (PLACEHOLDERS as readonly string[]).includes(name);
}

/** Compiles a template such as `{timestamp}.{body}`. Returns null if it contains an unknown placeholder or a stray brace. */
export function compileTemplate(template: string): Template | null {
  const segments: Segment[] = [];
  for (const [n, text] of template.split(PLACEHOLDER).entries()) {
    if (n % 2 === 1) {
      if (!isPlaceholder(text)) {
        return null;
      }
      segments.push({ name: text });
    } else if (/[{}]/.test(text)) {
      return null;
    } else if (text !== "") {
      segments.push({ literal: text });
    }
  }
  return {
    names: new Set(
      segments.flatMap((one) => ("name" in one ? [one.name] : [])),
    ),
    fill: (parts) =>
      segments.map((one) => ("name" in one ? parts[one.name] : one.literal)),
  };
}
