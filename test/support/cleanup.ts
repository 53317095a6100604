/** Ends or deletes something that a test has started or created. */
export type End = () => unknown;

/** Cleanups that were registered outside of a test, such as in `beforeAll`. They run after the last test of the file. */
const file: End[] = [];
const test: End[] = [];
let inTest = false;

/**
 * Registers `end` to be called after the current test, even if it fails. Outside of a test, `end` is called after the last
 * test of the file. The last registered function is called first.
 */
export function cleanUp(end: End): void {
  (inTest ? test : file).push(end);
}

/** Returns whether a cleanup was registered for the whole file. */
export const hasFileScope = (): boolean => file.length > 0;

export function enterTest(): void {
  inTest = true;
}

export async function leaveTest(): Promise<void> {
  inTest = false;
  await endAll(test);
}

export const leaveFile = (): Promise<void> => endAll(file);

/** Calls all cleanups, even if some fail. */
async function endAll(ends: End[]): Promise<void> {
  const errors: unknown[] = [];
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) {
    try {
      await end();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) {
    throw new AggregateError(errors, errors.map(String).join("; "));
  }
}
