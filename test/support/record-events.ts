import { WEBHOOK_REQUEST } from "./fixtures.ts";
import { openTestStore } from "./open-test-store.ts";

/** Stores events with bodies of 1 KiB in the store of a directory, with due deliveries to a destination. */
export async function recordEvents(
  folder: string,
  count: number,
  destination: string,
): Promise<void> {
  const store = await openTestStore(folder);
  const body = Buffer.alloc(1024, "x");
  await Promise.all(
    Array.from({ length: count }, (_, n) =>
      store.record({
        event: {
          source: "hex",
          id: `evt_${n}`,
          type: "t",
          receivedAt: Date.now(),
          contentType: "application/json",
          headers: "{}",
          body,
          idSigned: true,
        },
        deliveries: [{ destination, orderKey: null }],
        claim: {
          signedAt: 1,
          replayKey: Buffer.from(String(n).padStart(32, "0")),
          coversKey: true,
          sharedWith: [],
        },
        request: WEBHOOK_REQUEST,
      }),
    ),
  );
  await store.close();
}
