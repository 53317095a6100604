const LINE = /^([0-9a-f]{16})\s+(\d{4}-\d{2}-\d{2})(?:\s+(.*))?$/;

/** Allows one key until the end of a day. */
interface Allowance {
  readonly fingerprint: string;
  /** Unix milliseconds. */
  readonly endsAt: number;
}

export interface AllowList {
  readonly allowances: readonly Allowance[];
  /** Invalid lines, with their number. */
  readonly errors: readonly string[];
}

const DAY_MS = 86_400_000;

/**
 * Parses an allow-list. Each line is `FINGERPRINT YYYY-MM-DD reason`: the key is not reported until the end of that day (UTC). `#`
 * starts a comment.
 */
export function parseAllowList(text: string): AllowList {
  const allowances: Allowance[] = [];
  const errors: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const content = line.replace(/(?:^|\s)#.*$/, "").trim();
    if (content === "") {
      continue;
    }
    const [, fingerprint, day = ""] = LINE.exec(content) ?? [];
    const endsAt = Date.parse(`${day}T00:00:00Z`) + DAY_MS;
    if (fingerprint === undefined || !isDay(day)) {
      errors.push(`line ${index + 1}: must be FINGERPRINT YYYY-MM-DD reason`);
    } else {
      allowances.push({ fingerprint, endsAt });
    }
  }
  return { allowances, errors };
}

/** Rejects days that do not exist, such as 31 February, which Date.parse accepts. */
function isDay(text: string): boolean {
  const at = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}

/** Returns `allowed`, `expired` if the day is over, or `none`. */
export function allowanceOf(
  { allowances }: AllowList,
  fingerprint: string,
  now: number,
): "allowed" | "expired" | "none" {
  const matching = allowances.filter(
    (allowance) => allowance.fingerprint === fingerprint,
  );
  if (matching.length === 0) {
    return "none";
  }
  return matching.some(({ endsAt }) => now < endsAt) ? "allowed" : "expired";
}
