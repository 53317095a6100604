import type { SignedBytes } from "./mac.ts";
import type { SignedText } from "./place.ts";

/** The values of the placeholders in a template, as received. Text is in latin1, as Node decodes headers. */
export interface SignedParts {
  readonly id: SignedText;
  readonly timestamp: SignedText;
  readonly method: string;
  readonly url: string;
  readonly decoded_url: string;
  readonly body: Buffer;
}

/** The placeholders that the configuration of a custom scheme may use. */
export const CUSTOM_PLACEHOLDERS = [
  "id",
  "timestamp",
  "body",
  "method",
  "url",
] as const;

const PLACEHOLDERS = [...CUSTOM_PLACEHOLDERS, "decoded_url"] as const;

export type Placeholder = (typeof PLACEHOLDERS)[number];

type Segment = { readonly literal: string } | { readonly name: Placeholder };

export interface Template {
  readonly names: ReadonlySet<Placeholder>;
  /**
   * Whether text separates all placeholders. Otherwise the same bytes can be read in several ways: the id `a1` before the time
   * `2` is the id `a` before the time `12`.
   */
  readonly isSeparated: boolean;
  /** Returns the signed bytes, in order, without copying the body. */
  readonly fill: (parts: SignedParts) => SignedBytes;
}

const PLACEHOLDER = /\{([^{}]*)\}/;

/**
 * Compiles a template such as `{timestamp}.{body}`. Returns null if it contains a placeholder that is not in `allowed`, or a
 * stray brace.
 */
export function compileTemplate(
  template: string,
  allowed: readonly Placeholder[] = PLACEHOLDERS,
): Template | null {
  const segments: Segment[] = [];
  for (const [n, text] of template.split(PLACEHOLDER).entries()) {
    if (n % 2 === 1) {
      const name = allowed.find((one) => one === text);
      if (name === undefined) {
        return null;
      }
      segments.push({ name });
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
    isSeparated: segments.every((one, n) => {
      const before = segments[n - 1];
      return "literal" in one || before === undefined || isSeparator(before);
    }),
    fill: (parts) =>
      segments.map((one) => ("name" in one ? parts[one.name] : one.literal)),
  };
}

/** Digits alone could be part of a time. */
function isSeparator(segment: Segment): boolean {
  return "literal" in segment && /\D/.test(segment.literal);
}
