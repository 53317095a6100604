import { expect, it } from "@jest/globals";
import { longestSleep } from "../../../src/delivery/longest-sleep.ts";

it("is shorter while another process may store deliveries for a busy destination", () => {
  expect([
    longestSleep({ isShared: true, idleMs: 0 }),
    longestSleep({ isShared: true, idleMs: 9999 }),
    longestSleep({ isShared: true, idleMs: 10_000 }),
    longestSleep({ isShared: true, idleMs: Number.POSITIVE_INFINITY }),
    longestSleep({ isShared: false, idleMs: 0 }),
  ]).toEqual([250, 250, 1000, 1000, 1000]);
});
