import type { Source } from "../domain/source.ts";
import { UsageError } from "../errors.ts";

/** The configured source of that name. Throws UsageError when there is none. */
export function requireSource(source: Source, name: string): Source {
  if (source.name !== name) {
    throw new UsageError(
      `there is no source ${JSON.stringify(name)}; the configured one is ${source.name}`,
    );
  }
  return source;
}

/** The key that a sender signs with now. */
export function currentKey(source: Source): Buffer {
  const [current] = source.secrets;
  if (current === undefined) {
    throw new TypeError(`source ${source.name} has no secret`);
  }
  return current.key;
}
