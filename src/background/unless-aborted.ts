/** Resolves with the result of `work`, or rejects when the signal aborts. The work itself continues. */
export async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) {
    return work;
  }
  const aborted = new Promise<never>((_resolve, reject) => {
    const fail = (): void => {
      reject(new Error(`aborted by ${String(signal.reason)}`));
    };
    if (signal.aborted) {
      fail();
    } else {
      signal.addEventListener("abort", fail, { once: true });
    }
  });
  return Promise.race([work, aborted]);
}
