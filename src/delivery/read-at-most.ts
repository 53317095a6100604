/** Reads a body to its end or to `limit` bytes, whichever comes first, and keeps nothing of it. */
export async function readAtMost(
  body: ReadableStream<Uint8Array> | null,
  limit: number,
): Promise<void> {
  if (body === null) {
    return;
  }
  const reader = body.getReader();
  let read = 0;
  while (read <= limit) {
    const { done, value } = await reader.read();
    if (done) {
      return;
    }
    read += value.length;
  }
  await reader.cancel();
}
