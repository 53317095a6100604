import { describe, expect, it } from "@jest/globals";
import { eventBody, SECRET, signed } from "../../support/fixtures.ts";
import { eventually } from "../../support/eventually.ts";
import { startOwnServer } from "../../support/postgres.ts";
import {
  deliver,
  postgresEnvironment,
} from "../../support/postgres-service.ts";
import { freePort, hexhookProcess, serve } from "../../support/processes.ts";
import { startTestService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

describe("a service on PostgreSQL", () => {
  it("that cannot reach the database tries again, and then ends with 70 and one clear line", async () => {
    const port = await freePort();
    const url = `postgres://hexhook:S3cret@127.0.0.1:${port}/hexhook`;
    const begun = performance.now();
    const { code, stderr } = await hexhookProcess(["serve"], {
      cwd: temporaryFolder().path,
      env: { ...(await postgresEnvironment(url)), HEX_SECRET: SECRET },
    });
    expect(code).toBe(70);
    expect(performance.now() - begun).toBeGreaterThan(8000);
    const lines = stderr.trimEnd().split("\n");
    expect(
      lines.filter((line) => line.includes("store not reachable")),
    ).toHaveLength(1);
    expect(lines.at(-1)).toMatch(
      /^hexhook: 127\.0\.0\.1:\d+\/hexhook: PostgreSQL cannot be reached \(ECONNREFUSED\)/,
    );
    expect(stderr).not.toContain("S3cret");
  });

  it("starts when the database becomes reachable meanwhile", async () => {
    const server = await startOwnServer();
    await server.stop();
    let startedAt: number | null = null;
    const service = await startTestService(temporaryFolder().path, {
      env: await postgresEnvironment(server.url()),
      deps: {
        emit: ({ type }) => {
          if (type === "store.unreachable") {
            void server.start().then(() => {
              startedAt = performance.now();
            });
          }
        },
        // The 10 s begin when the server runs, however long its start takes.
        monotonic: () =>
          startedAt === null ? 0 : performance.now() - startedAt,
      },
    });
    await deliver(service, "evt_1");
    expect(startedAt).not.toBeNull();
  });

  it("is live but not ready while the database is gone, and ready again after its return", async () => {
    const server = await startOwnServer();
    const env = await postgresEnvironment(server.url());
    const service = await serve(temporaryFolder().path, env);
    const status = async (path: string) =>
      (await fetch(`${service.url}${path}`)).status;
    await deliver(service, "evt_1");

    await server.kill();
    await eventually(async () => (await status("/readyz")) === 503);
    expect(await status("/livez")).toBe(200);
    const body = eventBody("evt_2");
    expect((await service.post(body, signed(body))).status).toBe(503);

    await server.start();
    await eventually(async () => (await status("/readyz")) === 200);
    await deliver(service, "evt_2");
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });

  it("ends at SIGTERM while it waits for the database", async () => {
    const server = await startOwnServer();
    const env = await postgresEnvironment(server.url());
    const service = await serve(temporaryFolder().path, env);
    await server.kill();
    const { code } = await service.stop();
    // The last audit entry could not be written.
    expect(code).toBe(70);
  });
});
