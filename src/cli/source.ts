import type { Source } from "../domain/source.ts";
import { UsageError } from "../errors.ts";

/** Returns the configured source with this name. Throws UsageError if there is none. */
export function requireSource(
  sources: readonly Source[],
  name: string,
): Source {
  const source = sources.find((one) => one.name === name);
  if (source === undefined) {
    const names = sources.map((one) => one.name).join(", ");
    throw new UsageError(
      `there is no source ${JSON.stringify(name)}; configured: ${names}`,
    );
  }
  return source;
}
