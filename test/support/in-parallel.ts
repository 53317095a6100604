/** Runs `work` repeatedly, `concurrency` times in parallel, until one run returns false because no work is left. */
export async function inParallel(
  concurrency: number,
  work: () => Promise<boolean>,
): Promise<void> {
  let more = true;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (more) {
        more = (await work()) && more;
      }
    }),
  );
}
