import { describe, expect, it } from "@jest/globals";
import { createKeyUses } from "../../../src/status/key-uses.ts";
import type { KeyUse } from "../../../src/store/records.ts";
import { WEBHOOK_REQUEST } from "../../support/fixtures.ts";
import {
  openStoreOfKind,
  SQLITE,
  type TestStore,
} from "../../support/stores.ts";

const KEY_ID = WEBHOOK_REQUEST.keyId;

/** A store with these saved uses, and the searches of its trail. */
function withUses(test: TestStore, saved: readonly KeyUse[]) {
  const store = test.store();
  let searches = 0;
  return {
    searches: () => searches,
    lastUses: async () => saved,
    searchAudit: (search: Parameters<typeof store.searchAudit>[0]) => {
      searches += 1;
      return store.searchAudit(search);
    },
  };
}

describe("the uses of keys", () => {
  it("are saved when they have changed, and kept for the next save if it fails", async () => {
    let now = 1;
    let isFull = true;
    const saves: (readonly KeyUse[])[] = [];
    const uses = createKeyUses({ now: () => now });
    const store = {
      noteUse: async (changed: readonly KeyUse[]) => {
        if (isFull) {
          throw new Error("full");
        }
        saves.push(changed);
      },
    };
    await uses.save(store);
    uses.note("a", "k1");
    now = 2;
    uses.note("a", "k2");
    uses.note("b", "k1");
    await expect(uses.save(store)).rejects.toThrow("full");
    isFull = false;
    await uses.save(store);
    await uses.save(store);
    now = 3;
    uses.note("a", "k2");
    await uses.save(store);
    expect(saves).toEqual([
      [
        { source: "a", keyId: "k1", at: 1 },
        { source: "a", keyId: "k2", at: 2 },
        { source: "b", keyId: "k1", at: 2 },
      ],
      [{ source: "a", keyId: "k2", at: 3 }],
    ]);
  });

  it("are the latest of the store, the process and the end of the trail", async () => {
    const test = await openStoreOfKind(SQLITE);
    await test.record("a");
    const receivedAt = test.now();
    const store = withUses(test, [
      { source: "hex", keyId: KEY_ID, at: receivedAt - 5000 },
      { source: "hex", keyId: "other", at: receivedAt - 6000 },
    ]);
    let now = receivedAt - 7000;
    const uses = createKeyUses({ now: () => now });
    uses.note("hex", "other");
    expect(await uses.all(store)).toEqual([
      { source: "hex", keyId: KEY_ID, at: receivedAt },
      { source: "hex", keyId: "other", at: receivedAt - 6000 },
    ]);
    now = receivedAt + 1;
    uses.note("hex", KEY_ID);
    expect((await uses.all(store))[0]).toMatchObject({ at: receivedAt + 1 });
    // Only the first reading searches the trail.
    expect(store.searches()).toBe(1);
  });

  it("are not searched in the trail before the newest saved use", async () => {
    const test = await openStoreOfKind(SQLITE);
    await test.record("a");
    const at = test.now() + 60_000;
    const store = withUses(test, [{ source: "hex", keyId: "newer", at }]);
    const uses = createKeyUses({ now: () => at });
    expect(await uses.all(store)).toEqual([
      { source: "hex", keyId: "newer", at },
    ]);
  });
});
