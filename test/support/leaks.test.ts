import { describe, expect, it } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { cleanUp, enterTest, leaveTest } from "./cleanup.ts";
import { expectNoLeak, killMarkedProcesses, openResources } from "./leaks.ts";
import { environment } from "./processes.ts";

describe("the leak check", () => {
  it("fails while a server is open", async () => {
    const before = openResources();
    const server = createServer();
    server.listen(0);
    await once(server, "listening");
    await expect(expectNoLeak(before, 0)).rejects.toThrow("TCPServerWrap (1)");
    server.close();
    await expectNoLeak(before);
  });

  it("finds and kills a child process and its children", async () => {
    const child = spawn("sh", ["-c", "sleep 600 & echo; sleep 600"], {
      env: environment({}),
    });
    await once(child.stdout, "data");
    const left = killMarkedProcesses();
    // The shell may have replaced itself with the second command, or may not have started the first one yet.
    expect(left.length).toBeGreaterThan(1);
    expect(left.every((one) => one.endsWith("sleep 600"))).toBe(true);
    expect(killMarkedProcesses()).toEqual([]);
    await once(child, "close");
  });
});

it("cleanups run in reverse order after a test, and an error in one fails the test", async () => {
  const ended: string[] = [];
  enterTest();
  cleanUp(() => ended.push("first"));
  cleanUp(() => Promise.reject(new Error("the second cannot be ended")));
  cleanUp(() => ended.push("third"));
  await expect(leaveTest()).rejects.toThrow("the second cannot be ended");
  expect(ended).toEqual(["third", "first"]);
});
