/** A name is close if a third of its characters, or fewer, are wrong. */
const CLOSE = 3;

/** Longer texts are not misspelt names. */
const MAX_LENGTH = 64;

/** Returns the known name that the user probably meant; null if none is close. Case, `-` and `_` count little. */
export function nearestName(
  name: string,
  known: readonly string[],
): string | null {
  if (name.length > MAX_LENGTH) {
    return null;
  }
  const wanted = plain(name);
  let nearest: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const other = plain(candidate);
    const distance = distanceOf(wanted, other);
    const limit = Math.floor(Math.max(wanted.length, other.length) / CLOSE);
    if (distance <= limit && distance < least) {
      nearest = candidate;
      least = distance;
    }
  }
  return nearest;
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_\s]/g, "");
}

/** The number of characters to insert, delete, replace or swap with their neighbour. */
function distanceOf(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const isSame = from[i - 1] === to[j - 1];
      const isSwapped =
        i > 1 &&
        j > 1 &&
        from[i - 1] === to[j - 2] &&
        from[i - 2] === to[j - 1];
      row.push(
        Math.min(
          (last[j] ?? 0) + 1,
          (row[j - 1] ?? 0) + 1,
          (last[j - 1] ?? 0) + (isSame ? 0 : 1),
          isSwapped ? (beforeLast[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length] ?? 0;
}
