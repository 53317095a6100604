import path from "node:path";
import { openStore } from "../../src/store/open.ts";
import type { Store, StoreDeps } from "../../src/store/port.ts";
import { cleanUp } from "./cleanup.ts";
import { SIGNING_KEY, sqliteUrl } from "./fixtures.ts";

/** The store of a folder, where `startTestService` and `serve` have it too. */
export const storeFileIn = (folder: string): string =>
  path.join(folder, "hexhook.db");

/** A real store in a SQLite file, closed when the test ends. `open`: how, such as on threads. */
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
    ...deps,
  });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= store.close());
  cleanUp(close);
  return { ...store, close };
}
