/** Ends or deletes what a test has started or made. */
export type End = () => unknown;

/** What was started outside of a test, such as in `beforeAll`, lives as long as its file. */
const file: End[] = [];
const test: End[] = [];
let inTest = false;

/**
 * Registers `end` to be called after the current test, also when it fails; outside of a test, after the last test of the
 * file. The last one registered is called first.
 */
export function cleanUp(end: End): void {
  (inTest ? test : file).push(end);
}

/** Whether anything lives as long as the file. */
export const hasFileScope = (): boolean => file.length > 0;

export function enterTest(): void {
  inTest = true;
}

export async function leaveTest(): Promise<void> {
  inTest = false;
  await endAll(test);
}

export const leaveFile = (): Promise<void> => endAll(file);

/** Calls all of them even when some fail. */
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
