import { afterAll, afterEach, beforeAll, beforeEach } from "@jest/globals";
import { enterTest, hasFileScope, leaveFile, leaveTest } from "./cleanup.ts";
import {
  expectNoLeak,
  killMarkedProcesses,
  openResources,
  type Resources,
} from "./leaks.ts";

/* Around every test: ends what it has started, and fails it when something is left. */

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
  // What serves a whole file may open connections and processes in any of its tests.
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
    throw new Error(`the test has left processes: ${left.join("; ")}`);
  }
}
