import { beforeEach, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Environment } from "../../../src/config/load-config.ts";
import { eventually } from "../../support/eventually.ts";
import { eventBody, signed } from "../../support/fixtures.ts";
import {
  describeWithPython,
  hexhookOnTerminal,
  serve,
} from "../../support/processes.ts";
import { startTestService } from "../../support/service.ts";
import { readColumn } from "../../support/store-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { type OnTerminal, onTerminal } from "../../support/terminal.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const HOSTILE = "\u001b[2J\u0007\u202eevil";

/** The service's own colours. */
// eslint-disable-next-line no-control-regex -- these are what it looks for
const COLOURS = /\u001b\[(?:0|31|32|33)m/g;
/** Text without control characters, apart from newlines. */
const VISIBLE = /^[\n\x20-\x7e]*$/;

/**
 * Runs a service whose handler throws, sends it an accepted and a rejected delivery, and stops it. Returns what the terminal got,
 * and what the stream got that is no terminal.
 */
async function runOn(
  streams: OnTerminal,
  options: { columns?: number; env?: Environment; id?: string } = {},
): Promise<{ terminal: string; piped: string; port: number }> {
  const { columns = 100, env = {}, id = "evt_1" } = options;
  writeFileSync(
    path.join(folder.path, "failing.mjs"),
    'export default { "*": (event) => { throw new Error(`cannot handle ${event.id}`); } };\n',
  );
  const service = await serve(
    folder.path,
    { HANDLERS: "failing.mjs", ...env },
    onTerminal(streams, columns),
  );
  const body = eventBody(id);
  await service.post(body, signed(body));
  await service.post(body, {
    ...signed(body),
    "x-hex-signature": "0".repeat(64),
  });
  const seen = (): string => service.stdout() + service.stderr();
  await eventually(
    () =>
      seen().includes("delivery.failed") &&
      seen().includes("webhook.rejected") &&
      seen().includes("handler threw"),
  );
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  return {
    terminal: service.stdout(),
    piped: service.stderr(),
    port: service.port,
  };
}

describeWithPython("serve", () => {
  it("shows the trail and the log in readable form when both streams are a terminal", async () => {
    const { terminal, piped, port } = await runOn("both");
    expect(piped).toBe("");
    expect(terminal).toContain(
      `Listening on http://127.0.0.1:${port}/webhooks/hex\n`,
    );
    expect(terminal).toContain(
      "Z \u001b[32mok  \u001b[0m webhook.accepted hex evt_1",
    );
    expect(terminal).toContain("Z \u001b[31mFAIL\u001b[0m webhook.rejected");
    expect(terminal).toContain("Z \u001b[31merror\u001b[0m handler threw");
    expect(terminal).toMatch(/^ {4}Error: cannot handle evt_1$/m);
    expect(terminal).toMatch(/^ {8}at .*failing\.mjs/m);
    expect(terminal).not.toContain("[AUDIT]");
    expect(terminal).not.toContain("{");
    expect(terminal.replaceAll(COLOURS, "")).toMatch(VISIBLE);
  });

  it("keeps the JSON of the trail when stdout alone is piped", async () => {
    const { terminal, piped } = await runOn("stderr");
    const lines = piped.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) {
      expect(line).toMatch(
        /^\[AUDIT\] \{"timestamp":.*"hash":"[0-9a-f]{64}"\}$/,
      );
    }
    expect(terminal).toContain("Listening on ");
    expect(terminal).not.toContain("webhook.accepted");
  });

  it("keeps the JSON of the log when stderr alone is piped", async () => {
    const { terminal, piped } = await runOn("stdout");
    const log = piped
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { msg: string });
    expect(log.map(({ msg }) => msg)).toEqual(
      expect.arrayContaining([
        "service ready",
        "handler threw",
        "service stopped",
      ]),
    );
    expect(terminal).toContain("webhook.accepted hex evt_1");
    expect(terminal).not.toContain("Listening on ");
  });

  it("prints its local address and the public URL of the endpoint", async () => {
    const { terminal, port } = await runOn("both", {
      env: { ADMIN_PORT: "0", PUBLIC_URL: "https://hooks.example.com/in" },
    });
    expect(terminal).toContain(
      `Listening on http://127.0.0.1:${port}/webhooks/hex (public: https://hooks.example.com/in/webhooks/hex)\n`,
    );
  });

  it.each([
    ["NO_COLOR", { NO_COLOR: "1" }],
    ["TERM=dumb", { TERM: "dumb" }],
  ])("has no colours with %s", async (_what, env) => {
    const { terminal } = await runOn("both", { env });
    expect(terminal).toContain("Z ok   webhook.accepted hex evt_1");
    expect(terminal).toMatch(VISIBLE);
  });

  it("uses the configured formats even on a terminal", async () => {
    const { terminal } = await runOn("both", {
      env: { AUDIT_STDOUT: "json", LOG_FORMAT: "json" },
    });
    for (const line of terminal.trimEnd().split("\n")) {
      expect(JSON.parse(line)).toBeInstanceOf(Object);
    }
  });

  it("passes no escape sequence from a sender or an error to the terminal", async () => {
    const { terminal } = await runOn("both", { id: HOSTILE });
    expect(terminal).toContain("\\u001b[2J\\u0007\\u202eevil");
    expect(terminal.replaceAll(COLOURS, "")).toMatch(VISIBLE);
  });

  it.each([60, 200])("uses the width of the terminal: %d", async (columns) => {
    const { terminal } = await runOn("both", {
      columns,
      env: { NO_COLOR: "1" },
      id: "evt_0123456789",
    });
    // The line with the address and the frames of a stack are not wrapped.
    const lines = terminal
      .split("\n")
      .filter((line) => !/^Listening| {8}at /.test(line));
    const longest = Math.max(...lines.map(({ length }) => length));
    expect(longest).toBeLessThanOrEqual(columns);
    expect(longest).toBeGreaterThan(columns === 60 ? 40 : 100);
  });
});

describeWithPython("a terminal that hangs up", () => {
  it.each(["both", "stdout", "stderr"] as const)(
    "does not end a service that has %s on it, nor change its exit code",
    async (streams) => {
      const service = await serve(folder.path, {}, onTerminal(streams, 80));
      service.child.kill("SIGHUP");
      const audited = (action: string): number =>
        readColumn(
          path.join(folder.path, "hexhook.db"),
          `SELECT line FROM audit_entry WHERE line LIKE '%"${action}"%'`,
        ).length;
      await eventually(() => audited("config.reloaded") === 1);
      for (const id of ["evt_1", "evt_2"]) {
        const body = eventBody(id);
        const { status } = await service.post(body, signed(body));
        expect(status).toBe(200);
      }
      expect(await service.stop()).toEqual({ code: 0, signal: null });
      expect(audited("server.stopped")).toBe(1);
    },
  );
});

describeWithPython("a command", () => {
  it("uses the width of the terminal", async () => {
    const service = await startTestService(folder.path);
    await service.post(eventBody("evt_0123456789abcdef0123456789abcdef"));
    await service.stop();
    const longestOf = async (
      args: readonly string[],
      columns: number,
    ): Promise<number> => {
      const { stdout } = await hexhookOnTerminal(args, {
        cwd: folder.path,
        env: { DATABASE_URL: "sqlite:hexhook.db", NO_COLOR: "1" },
        columns,
      });
      return Math.max(...stdout.split("\n").map(({ length }) => length));
    };
    const tail = ["audit", "tail"];
    expect(await longestOf(tail, 60)).toBeLessThanOrEqual(60);
    expect(await longestOf(tail, 200)).toBeGreaterThan(80);
    const list = ["events", "list"];
    expect(await longestOf(list, 60)).toBeLessThanOrEqual(60);
    expect(await longestOf(list, 200)).toBeGreaterThan(60);
  });
});
