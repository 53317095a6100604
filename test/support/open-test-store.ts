import path from "node:path";
import { openStore } from "../../src/store/open.ts";
import type { Store, StoreDeps } from "../../src/store/port.ts";
import { cleanUp } from "./cleanup.ts";
import { SIGNING_KEY, sqliteUrl } from "./fixtures.ts";

/** Returns the location of the store in a directory, which `startTestService` and `serve` use too. */
export const storeFileIn = (folder: string): string =>
  path.join(folder, "hexhook.db");

/** Opens a real store in a SQLite file, for example on threads with `open`. It is closed when the test ends. */
export async function openTestStore(
  folder: string,
  options: Partial<StoreDeps> & { open?: typeof openStore } = {},
): Promise<Store> {
  const { open = openStore, ...deps } = options;
  const store = await open(sqliteUrl(storeFileIn(folder)), {
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
