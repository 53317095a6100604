import { beforeEach, describe, expect, it } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Writable } from "node:stream";
import { cleanUp } from "../support/cleanup.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody, SECRET, signed } from "../support/fixtures.ts";
import { markedProcesses } from "../support/leaks.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { storeFileIn } from "../support/open-test-store.ts";
import {
  CLI,
  describeWithPython,
  environment,
  freePort,
} from "../support/processes.ts";
import { startTestService } from "../support/service.ts";
import { readColumn } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import {
  expectUnreadStdoutHarmless,
  throughPipe,
  throughSocket,
} from "../support/unread-stdout.ts";

/** The maximum bytes of lines in one write to a sink. */
const MAX_BATCH_BYTES = 1_048_576;

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

describe("standard output without a reader", () => {
  it.each([
    { kind: "a pair of sockets", open: throughSocket },
    { kind: "a pipe", open: throughPipe },
  ])(
    "delays no response, does not end the process, and gets the missing entries at the next startup: $kind",
    async ({ open }) => {
      // The long form of this test in test/soak measures the memory.
      await expectUnreadStdoutHarmless(folder.path, open, {
        warmUp: 10,
        stuck: 520,
        closed: 20,
      });
    },
  );

  it("gets one batch until it is read, then all entries in order", async () => {
    const chunks: Buffer[] = [];
    const waiting: (() => void)[] = [];
    const stdout = new Writable({
      write(chunk: Buffer, _encoding, taken) {
        chunks.push(chunk);
        waiting.push(taken);
      },
    });
    const service = await startTestService(folder.path, {
      env: { HANDLERS: noHandlers(folder.path) },
      deps: { stdout },
    });
    const stored = (): string =>
      readColumn(
        storeFileIn(folder.path),
        "SELECT line FROM audit_entry ORDER BY position",
      )
        .map((line) => `[AUDIT] ${String(line)}\n`)
        .join("");
    const printed = (): string => Buffer.concat(chunks).toString();
    await eventually(() => chunks.length === 1);
    for (let round = 0; round < 19; round += 1) {
      await Promise.all(
        Array.from({ length: 50 }, async (_, n) => {
          const id = `evt_${round}_${n}_`.padEnd(256, "é");
          const body = eventBody(id, "t".padEnd(128, "é"));
          expect((await service.post(body)).status).toBe(200);
        }),
      );
    }
    expect(stored().length).toBeGreaterThan(2 * MAX_BATCH_BYTES);
    expect(chunks).toHaveLength(1);

    let largest = 0;
    const take = (): void => {
      largest = Math.max(largest, stdout.writableLength);
      waiting.shift()?.();
    };
    await eventually(() => {
      take();
      return printed().length >= stored().length;
    });
    const stopped = service.stop();
    await eventually(() => {
      take();
      return printed().includes('"action":"server.stopped"');
    });
    await eventually(() => {
      take();
      return printed().length >= stored().length && waiting.length === 0;
    });
    await stopped;
    expect(printed()).toBe(stored());
    // The prefix of each line is additional.
    expect(largest).toBeLessThan(1.1 * MAX_BATCH_BYTES);
  });
});

describeWithPython("a terminal without a reader", () => {
  it("delays no response", async () => {
    const port = await freePort();
    // A pseudo-terminal, as with `docker run -t`, whose other side is not read.
    const terminal =
      "import os, pty, signal, sys\n" +
      "pid, fd = pty.fork()\n" +
      "if pid == 0: os.execv(sys.argv[1], sys.argv[1:])\n" +
      "signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))\n" +
      "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
    const child = spawn(
      "python3",
      ["-c", terminal, process.execPath, CLI, "serve"],
      {
        cwd: folder.path,
        env: environment({
          HEX_SECRET: SECRET,
          PORT: String(port),
          HOST: "127.0.0.1",
          ADMIN_PORT: "0",
          DRAIN_SECONDS: "0",
          DATABASE_URL: "sqlite:hexhook.db",
        }),
        stdio: "ignore",
      },
    );
    const exited = once(child, "exit");
    cleanUp(async () => {
      child.kill("SIGKILL");
      await exited;
    });
    const url = `http://127.0.0.1:${port}`;
    await eventually(() =>
      fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    // The entries have ten times the bytes that a terminal buffers without a reader.
    for (let round = 0; round < 20; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 10 }, async (_, n) => {
          const body = eventBody(`evt_${round}_${n}`.padEnd(256, "é"));
          const answer = await fetch(`${url}/webhooks/hex`, {
            method: "POST",
            headers: signed(body),
            body: new Uint8Array(body),
            signal: AbortSignal.timeout(60_000),
          });
          return answer.status;
        }),
      );
      expect(new Set(answers)).toEqual(new Set([200]));
    }
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
    // The process that copies to the terminal ends when the terminal is closed.
    await eventually(() => markedProcesses().length === 0);
  });
});
