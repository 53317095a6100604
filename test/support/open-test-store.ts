import { openStore } from "../../src/store/open.ts";
import type { Store, StoreDeps } from "../../src/store/port.ts";
import { cleanUp } from "./cleanup.ts";
import { SIGNING_KEY } from "./fixtures.ts";
import { storeUrlIn } from "./service-store.ts";

export { storeFileIn } from "./service-store.ts";

/** Opens the real store of a directory, for example on threads with `open`. It is closed when the test ends. */
export async function openTestStore(
  folder: string,
  options: Partial<StoreDeps> & { open?: typeof openStore } = {},
): Promise<Store> {
  const { open = openStore, ...deps } = options;
  const store = await open(await storeUrlIn(folder), {
    writer: "test",
    signingKey: SIGNING_KEY,
    now: Date.now,
    onFatal: (error) => {
      throw error;
    },
    delivers: false,
    poolSize: 4,
    ...deps,
  });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= store.close());
  cleanUp(close);
  return { ...store, close };
}
