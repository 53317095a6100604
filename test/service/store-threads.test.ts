import { beforeEach, describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { eventBody, signed } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { readTrail } from "../support/read-trail.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { serve } from "../support/processes.ts";
import { startTestService } from "../support/service.ts";
import { openFile } from "../support/store-file.ts";

let folder: ReturnType<typeof temporaryFolder>;
let service: Awaited<ReturnType<typeof serve>> | null;

beforeEach(() => {
  folder = temporaryFolder();
  service = null;
});

const file = (): string => path.join(folder.path, "hexhook.db");

async function post(id: string): Promise<number> {
  const body = eventBody(id);
  return (await service!.post(body, signed(body))).status;
}

async function get(target: string): Promise<number> {
  return (await fetch(`${service!.url}${target}`)).status;
}

describe("a lock that another process holds", () => {
  it("delays only webhooks: each gets 503 after its time limit, and all work again after the lock is released", async () => {
    service = await serve(folder.path);
    const other = openFile(file());
    other.exec("BEGIN IMMEDIATE");
    const answers: string[] = [];
    const early = post("evt_1").then((status) => answers.push(`1: ${status}`));
    while (!answers.includes("1: 503")) {
      expect(await get("/livez")).toBe(200);
      answers.push("live");
    }
    expect(answers[0]).toBe("live");
    await early;
    // A request that arrived while others waited does not wait twice as long. The lock is still held.
    const [second, ready] = await Promise.all([post("evt_2"), get("/readyz")]);
    expect([second, ready]).toEqual([503, 503]);

    const third = post("evt_3");
    await get("/livez");
    other.exec("COMMIT");
    other.close();
    expect(await third).toBe(200);
    expect(await post("evt_1")).toBe(200);
    expect(await get("/readyz")).toBe(200);
    expect(await service.stop()).toMatchObject({ code: 0 });
    const trail = await readTrail(file());
    expect(
      trail.filter(({ action }) => action === "store.failed"),
    ).toMatchObject([{ metadata: { code: "SQLITE_BUSY" } }]);
  });
});

describe("a thread of the store that dies", () => {
  it.each(["writer", "reader"])(
    "ends the process with 70, and nothing more is acknowledged: %s",
    async (name) => {
      const flag = path.join(folder.path, "die");
      const script = path.join(folder.path, "die.mjs");
      writeFileSync(
        script,
        `import { existsSync } from "node:fs";
        import { isMainThread, workerData } from "node:worker_threads";
        const name = workerData?.writer === undefined ? "reader" : "writer";
        if (!isMainThread && name === ${JSON.stringify(name)}) {
          setInterval(() => {
            if (existsSync(${JSON.stringify(flag)})) throw new Error("made to die");
          }, 5);
        }`,
      );
      service = await serve(folder.path, {
        NODE_OPTIONS: `--import=${script}`,
      });
      expect(await post("evt_1")).toBe(200);
      /** Requests with the response 503. None of them may be stored. */
      const rejected: [Buffer, ReturnType<typeof signed>][] = [];
      const lane = async (number: number): Promise<void> => {
        for (let n = 0; ; n += 1) {
          const body = eventBody(`evt_${number}_${n}`);
          const headers = signed(body);
          const answer = await service!.post(body, headers).catch(() => null);
          if (answer?.status !== 200) {
            if (answer !== null) {
              rejected.push([body, headers]);
            }
            return;
          }
        }
      };
      const lanes = Array.from({ length: 16 }, (_, number) => lane(number));
      await eventually(async () => (await readTrail(file())).length > 100);
      writeFileSync(flag, "");
      await Promise.all(lanes);
      expect(await service.exited).toMatchObject({ code: 70 });
      expect(service.stderr()).toContain(
        "a thread of the store died (made to die)",
      );

      const next = await startTestService(folder.path);
      for (const [body, headers] of rejected) {
        expect((await next.post(body, headers)).status).toBe(200);
      }
      await next.stop();
      await readTrail(file());
    },
  );
});
