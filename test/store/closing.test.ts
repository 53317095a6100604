import { describe, expect, it } from "@jest/globals";
import { closeSync, fstatSync, openSync } from "node:fs";
import { KINDS, openStoreOfKind } from "../support/stores.ts";

describe.each(KINDS)("closing a $name store", (kind) => {
  it("twice does not close a descriptor that something else has opened since", async () => {
    const test = await openStoreOfKind(kind);
    await test.record("a");
    await test.store().close();
    // It gets the number of the last descriptor of the store.
    const others = Array.from({ length: 8 }, () => openSync("/dev/null", "r"));
    await test.store().close();
    for (const other of others) {
      expect(fstatSync(other).isCharacterDevice()).toBe(true);
      closeSync(other);
    }
  });
});
