const LINE = /^([0-9a-f]{16})\s+(\d{4}-\d{2}-\d{2})(?:\s+(.*))?$/;

/** A key that somebody has answered for, up to and with a day. */
interface Allowance {
  readonly fingerprint: string;
  /** The instant it ends, in unix milliseconds. */
  readonly endsAt: number;
}

export interface AllowList {
  readonly allowances: readonly Allowance[];
  /** Lines that say nothing that could be used, by their number. */
  readonly errors: readonly string[];
}

const DAY_MS = 86_400_000;

/**
 * Reads an allow-list: a line for each key, `FINGERPRINT YYYY-MM-DD why`. Up to and with that day (UTC) the key is not
 * told of; `#` begins a comment.
 */
export function parseAllowList(text: string): AllowList {
  const allowances: Allowance[] = [];
  const errors: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const said = line.replace(/(?:^|\s)#.*$/, "").trim();
    if (said === "") {
      continue;
    }
    const [, fingerprint, day = ""] = LINE.exec(said) ?? [];
    const endsAt = Date.parse(`${day}T00:00:00Z`) + DAY_MS;
    if (fingerprint === undefined || !isDay(day)) {
      errors.push(`line ${index + 1}: must be FINGERPRINT YYYY-MM-DD why`);
    } else {
      allowances.push({ fingerprint, endsAt });
    }
  }
  return { allowances, errors };
}

/** The 31st of February is none, whatever Date.parse makes of it. */
function isDay(text: string): boolean {
  const at = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}

/** `allowed`, `expired` where the day is over, or `none`. */
export function allowanceOf(
  { allowances }: AllowList,
  fingerprint: string,
  now: number,
): "allowed" | "expired" | "none" {
  const ours = allowances.filter((one) => one.fingerprint === fingerprint);
  if (ours.length === 0) {
    return "none";
  }
  return ours.some(({ endsAt }) => now < endsAt) ? "allowed" : "expired";
}
