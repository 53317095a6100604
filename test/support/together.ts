/** Runs `work` `concurrency` times in parallel, repeatedly, until one run reports that no work is left. */
export async function together(
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
