import { afterAll, afterEach, beforeAll, beforeEach } from "@jest/globals";
import { enterTest, hasFileScope, leaveFile, leaveTest } from "./cleanup.ts";
import {
  expectNoLeak,
  killMarkedProcesses,
  openResources,
  type Resources,
} from "./leaks.ts";

/* Runs before and after every test. Ends what the test started, and fails the test when something is left open. */

let before: Resources = new Map();
let beforeFile: Resources = new Map();

beforeAll(() => {
  beforeFile = openResources();
});

beforeEach(() => {
  enterTest();
  before = openResources();
});

afterEach(async () => {
  await leaveTest();
  // A resource for the whole file may open connections and processes in any of its tests.
  if (!hasFileScope()) {
    expectNoProcess();
    await expectNoLeak(before);
  }
});

afterAll(async () => {
  await leaveFile();
  expectNoProcess();
  await expectNoLeak(beforeFile);
});

function expectNoProcess(): void {
  const left = killMarkedProcesses();
  if (left.length > 0) {
    throw new Error(`the test left processes: ${left.join("; ")}`);
  }
}
