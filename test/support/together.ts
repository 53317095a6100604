/** Does `work` `concurrency` times side by side, again and again until one of them says that there is no more. */
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
