import { beforeEach, describe, expect, it } from "@jest/globals";
import type { Command } from "commander";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { createProgram } from "../../../src/cli/program.ts";
import { processIo } from "../../../src/cli/process-io.ts";
import type { Environment } from "../../../src/config/load-config.ts";
import { reply, startDestination } from "../../support/destinations.ts";
import { eventually } from "../../support/eventually.ts";
import { eventBody, signed, TODAY } from "../../support/fixtures.ts";
import { startHexApi } from "../../support/hex-api.ts";
import { hexhook } from "../../support/hexhook.ts";
import { freePort, serve } from "../../support/processes.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

/** A value for each variable that holds a secret. None of them may be printed. */
const SECRETS = {
  HEX_SECRET: "signing-secret-4f9Qz7Lm2Xw8Rt5Yb1Nc",
  HEX_SECRET_PREVIOUS: "previous-secret-8Kd3Vn6Tq1Zs9Gh4Pj7",
  ADMIN_TOKEN: "admin-token-2Bw5Xc8Ym1Lr6Df9Tk3Hq",
  FORWARD_SECRET: "forward-secret-7Np4Js1Wz8Cv5Rb2Mg6",
  HEX_READ_KEY: "read-key-3Ft6Qy9Hx2Kl5Vd8",
  HEX_WRITE_KEY: "write-key-9Zc4Wn7Pb1Sg6Jr3",
};

let folder: ReturnType<typeof temporaryFolder>;
let env: Environment;

beforeEach(async () => {
  folder = temporaryFolder();
  env = {
    ...SECRETS,
    HEX_SECRET_CREATED_AT: TODAY,
    HEX_SECRET_PREVIOUS_EXPIRES_AT: "2099-01-01",
    HEX_API_URL: (await startHexApi()).url,
    HEX_SCOPES: "read:health,write:audit",
    DATABASE_URL: "sqlite:hexhook.db",
    LOG_LEVEL: "trace",
  };
});

function expectNoSecret(text: string): void {
  for (const [name, value] of Object.entries(SECRETS)) {
    for (const form of [
      value,
      encodeURIComponent(value),
      Buffer.from(value).toString("base64"),
      Buffer.from(value).toString("hex"),
    ]) {
      expect([name, text.includes(form)]).toEqual([name, false]);
    }
  }
}

/** Each command with the arguments of a typical call. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  serve: ["--help"],
  send: ["--url"],
  sign: [],
  verify: ["--explain", "-H", "x-hex-signature: 00"],
  // A wrong option ends it.
  listen: ["--forward", "x"],
  "audit tail": ["--json"],
  "audit verify": [],
  "audit scopes": [],
  "events list": ["--json"],
  "events show": ["evt_1", "--json"],
  "events export": ["--json"],
  "events redeliver": ["evt_1"],
  "events discard": ["evt_1"],
  "destinations list": [],
  "destinations pause": ["forward"],
  "destinations resume": ["forward"],
  status: [],
  "secrets generate": [],
  "secrets check": [],
  "keys check": [],
  "keys rotate": ["--offline", "--from", "-"],
  backup: ["copy.db"],
  "config check": [],
  "config schema": [],
  migrate: [],
  doctor: [],
  demo: [],
  completion: ["bash"],
};

function namesOf(command: Command, parents: readonly string[] = []): string[] {
  return command.commands.flatMap((one) => {
    const names = [...parents, one.name()];
    return one.commands.length > 0 ? namesOf(one, names) : names.join(" ");
  });
}

describe("no secret is printed", () => {
  it("by any command, whether it succeeds or fails", async () => {
    expect(Object.keys(COMMANDS).sort()).toEqual(
      namesOf(createProgram(processIo())).sort(),
    );
    const { port, adminPort, running, received } = await startForwarding();
    const event = eventBody("evt_1");
    await running.post(event, signed(event, { secret: SECRETS.HEX_SECRET }));
    await eventually(() => received() === 1);
    const api = `http://127.0.0.1:${adminPort}/api/events`;
    for (const token of [SECRETS.ADMIN_TOKEN, `${SECRETS.ADMIN_TOKEN}x`]) {
      const headers = { authorization: `Bearer ${token}` };
      await fetch(api, { headers });
    }
    const broken = {
      ...env,
      REPLAY_WINDOW_SECONDS: "x",
      FORWARD_URL: "x",
      DATABASE_URL: "x",
      HEX_SCOPES: "all",
    };
    for (const [name, more] of Object.entries(COMMANDS)) {
      const url = name === "send" ? [running.url] : [];
      const args = [...name.split(" "), ...more, ...url];
      for (const given of [{ ...env, PORT: String(port) }, broken]) {
        const { stdout, stderr } = await hexhook(args, {
          cwd: folder.path,
          env: given,
          input: SECRETS.HEX_WRITE_KEY,
        });
        expectNoSecret(stdout + stderr);
      }
    }
    expect(await running.stop()).toEqual({ code: 0, signal: null });
    expect(running.stderr()).toContain('"msg"');
    expect(running.stdout()).toContain("webhook.accepted");
    expectNoSecret(running.stdout() + running.stderr());
  });

  it.each(Object.keys(SECRETS))(
    "when %s is rejected: the error contains only the name of the variable",
    async (name) => {
      const bad = `"${SECRETS[name as keyof typeof SECRETS]}"`;
      for (const given of [{ [name]: bad }, { [`${name}_FILE`]: "file" }]) {
        writeFileSync(path.join(folder.path, "file"), bad);
        const { code, stderr, stdout } = await hexhook(["doctor", "--json"], {
          cwd: folder.path,
          env: { ...env, [name]: undefined, ...given },
        });
        expect(code).toBe(1);
        expect(stdout).toMatch(new RegExp(`"${name}(?:_FILE)?: is in quotes`));
        expectNoSecret(stdout + stderr);
      }
    },
  );
});

/** Starts a real service that forwards each event and has the management API enabled. */
async function startForwarding() {
  const destination = await startDestination(reply(200));
  const adminPort = await freePort();
  const running = await serve(folder.path, {
    ...env,
    ADMIN_PORT: String(adminPort),
    FORWARD_URL: destination.url,
  });
  return {
    running,
    port: running.port,
    adminPort,
    received: () => destination.attempts.length,
  };
}
