import { beforeEach, describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Environment } from "../../../src/config/load-config.ts";
import { SECRET } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { LATEST } from "../../support/old-store.ts";
import { openFile } from "../../support/store-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const run = (
  args: readonly string[],
  input: string | Buffer = "",
  env: Environment = {},
) =>
  hexhook(args, {
    cwd: folder.path,
    env: { HEX_SECRET: SECRET, DATABASE_URL: "sqlite:hexhook.db", ...env },
    input,
  });

describe("hexhook", () => {
  it("lists its commands and has help for each", async () => {
    const top = await run(["--help"]);
    expect(top.code).toBe(0);
    for (const command of [
      ["serve"],
      ["send"],
      ["sign"],
      ["verify"],
      ["audit", "tail"],
      ["audit", "verify"],
      ["migrate"],
      ["demo"],
    ]) {
      expect(top.stdout).toContain(command[0]);
      const help = await run([...command, "--help"]);
      expect(help.code).toBe(0);
      expect(help.stdout).toContain(`Usage: hexhook ${command.join(" ")}`);
    }
  });

  it("has help that fits 80 columns, for every command", async () => {
    const commandsBelow = async (
      names: readonly string[],
    ): Promise<readonly (readonly string[])[]> => {
      const { stdout } = await run([...names, "--help"]);
      const [, list = ""] = stdout.split("Commands:\n");
      const below = [...list.matchAll(/^ {2}([a-z]+)/gm)]
        .map(([, name]) => name!)
        .filter((name) => name !== "help");
      const deeper = await Promise.all(
        below.map((name) => commandsBelow([...names, name])),
      );
      return [names, ...deeper.flat()];
    };
    const all = await commandsBelow([]);
    expect(all.length).toBeGreaterThan(20);
    for (const names of all) {
      const { stdout } = await run([...names, "--help"]);
      const tooLong = stdout.split("\n").filter((line) => line.length > 80);
      expect(tooLong).toEqual([]);
    }
  });

  it.each([
    [["nonsense"]],
    [["send", "--nonsense"]],
    [["send", "--count", "0"]],
    [["send", "--tamper", "all"]],
    [["send", "--source", "other"]],
    [["send", "--data", "{"]],
    [["send", "--file", "none.json"]],
    [["send", "--file", "none.json", "--id", "x"]],
    [["demo", "--port", "x"]],
    [["sign", "--timestamp", "1.5"]],
    [["verify", "-H", "no colon"]],
    [["audit", "tail", "--since", "yesterday"]],
    [["audit", "tail", "--result", "good"]],
    [["audit", "verify", "--head", "x"]],
    [["audit", "verify", "--file", "none.log"]],
    [["audit", "nonsense"]],
  ])("exits with 64 and one clear error for %j", async (args) => {
    const { code, stderr, stdout } = await run(args);
    expect([code, stdout]).toEqual([64, ""]);
    expect(stderr).not.toContain("    at ");
    expect(stderr.trim().length).toBeGreaterThan(10);
  });

  it("exits with 70 when there is no store, or a newer one", async () => {
    const missing = await run(["audit", "tail"], "", {
      DATABASE_URL: "sqlite:none.db",
    });
    expect(missing.code).toBe(70);
    expect(missing.stderr).toMatch(/no store at none\.db/);

    const nowhere = await run(["migrate"], "", {
      DATABASE_URL: "sqlite:/proc/x/y.db",
    });
    expect(nowhere.code).toBe(70);
    expect(nowhere.stderr).toMatch(/cannot create the directory \/proc\/x/);

    const db = openFile(path.join(folder.path, "newer.db"));
    db.exec("PRAGMA user_version = 9999");
    db.close();
    for (const command of [["migrate"], ["audit", "verify"]]) {
      const { code, stderr } = await run(command, "", {
        DATABASE_URL: "sqlite:newer.db",
      });
      expect(code).toBe(70);
      expect(stderr).toMatch(/newer than this program's/);
    }
  });

  it("reads .env of the working directory, and prefers real variables", async () => {
    writeFileSync(
      path.join(folder.path, ".env"),
      `HEX_SECRET=${SECRET}\nHEX_SIGNATURE_SCHEME=hex-body\n`,
    );
    const cwd = folder.path;
    const fromFile = await hexhook(["sign"], { cwd, input: "{}" });
    expect(fromFile.stdout).toMatch(/^x-hex-signature: [0-9a-f]{64}\n$/);
    const env = { HEX_SIGNATURE_SCHEME: "hex" };
    const real = await hexhook(["sign"], { cwd, env, input: "{}" });
    expect(real.stdout).toMatch(/^x-hex-timestamp: /);
  });
});

describe("hexhook migrate", () => {
  it("creates the store, and finds it up to date the second time", async () => {
    const env = { DATABASE_URL: "sqlite:made/deep/m.db" };
    expect(await run(["migrate"], "", env)).toMatchObject({
      code: 0,
      stdout: `the schema of made/deep/m.db went from version 0 to ${LATEST}\n`,
    });
    expect((await run(["migrate"], "", env)).stdout).toMatch(/up to date/);
  });

  it("needs no secret", async () => {
    const { code } = await hexhook(["migrate"], {
      cwd: folder.path,
      env: { DATABASE_URL: "sqlite:n.db" },
    });
    expect(code).toBe(0);
  });
});
