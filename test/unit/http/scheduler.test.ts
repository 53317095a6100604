import { expect, it } from "@jest/globals";
import { AsyncLocalStorage } from "node:async_hooks";
import { createScheduler } from "../../../src/http/connection/scheduler.ts";

it("runs work in the asynchronous context of its caller", async () => {
  const storage = new AsyncLocalStorage<string>();
  const scheduler = createScheduler(() => 0);
  const found = await Promise.all(
    ["a", "b"].map((name) =>
      storage.run(name, () => scheduler.run(1, async () => storage.getStore())),
    ),
  );
  expect(found).toEqual(["a", "b"]);
});
