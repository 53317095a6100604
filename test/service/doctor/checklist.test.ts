import { beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Environment } from "../../../src/config/load-config.ts";
import type { CheckName } from "../../../src/doctor/check-result.ts";
import { fingerprintOf } from "../../../src/domain/key-id.ts";
import { GENERIC_KEY, LIVE_KEY } from "../../support/fake-keys.ts";
import { eventBody, signed } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import {
  GOOD_ENV,
  makeCleanRepository,
  type Repository,
  repositoryIn,
} from "../../support/repository.ts";
import { startTestService } from "../../support/service.ts";
import { openFile } from "../../support/store-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let clean: ReturnType<typeof temporaryFolder>;
let folder: ReturnType<typeof temporaryFolder>;
let repository: Repository;

beforeAll(() => {
  clean = temporaryFolder();
  makeCleanRepository(clean.path);
});

beforeEach(() => {
  folder = temporaryFolder();
  repository = repositoryIn(folder.path);
});

describe("hexhook doctor", () => {
  it("passes in a clean repository, and prints at most 80 columns", async () => {
    repository.copyOf(clean.path);
    const json = await repository.doctor();
    expect(json.failed).toEqual([]);
    expect(json.code).toBe(0);
    const { code, stdout } = await hexhook(["doctor"], {
      cwd: folder.path,
      env: GOOD_ENV,
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^PASS {2}API keys in the environment\n/);
    expect(stdout).toMatch(/\n\d passed, 0 warnings, 0 failed, \d skipped\n$/);
    expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });

  it.each([
    ["that is tracked by git", true, /^\.env\.production is tracked by git$/],
    [
      "that is not ignored by git",
      false,
      /^\.env\.production is not ignored by git$/,
    ],
  ])(
    "fails with a .env file %s, and reports the keys in it",
    async (_what, tracked, line) => {
      repository.copyOf(clean.path);
      repository.write(".gitignore", "*.db*\n");
      repository.write(".env.production", `A=1\nHEX_WRITE_KEY=${LIVE_KEY}\n`);
      if (tracked) {
        repository.commit();
      }
      const result = await repository.doctor();
      expect(result.failed).toEqual(["env_files_ignored", "exposed_keys"]);
      expect(result.of("env_files_ignored").details).toEqual([
        expect.stringMatching(line),
      ]);
      expect(result.of("exposed_keys").findings).toMatchObject([
        { path: ".env.production", line: 2 },
      ]);
      expect(result.stdout).not.toContain(LIVE_KEY);
    },
  );

  it("reports secrets that the .env files of two environments share, and a live key outside production", async () => {
    repository.copyOf(clean.path);
    repository.write(
      ".env.staging",
      `HEX_SECRET=${GENERIC_KEY}\nHEX_READ_KEY=${LIVE_KEY}\n`,
    );
    repository.write(".env.production", `X=1\nHEX_SECRET="${GENERIC_KEY}"\n`);
    repository.write(".env.production.local", `HEX_SECRET=${GENERIC_KEY}\n`);
    const result = await repository.doctor();
    expect(result.failed).toEqual(["environments_apart"]);
    const fingerprint = fingerprintOf(GENERIC_KEY);
    expect(result.of("environments_apart").details).toEqual([
      `.env.staging:1 HEX_SECRET is the same as .env.production:2 HEX_SECRET (fingerprint ${fingerprint})`,
      expect.stringMatching(/^\.env\.staging:2 HEX_READ_KEY is a live key/),
    ]);
    expect(result.stdout).not.toMatch(new RegExp(`${GENERIC_KEY}|${LIVE_KEY}`));
  });

  it("ignores shared values that are not secrets, and shows no fingerprint of a short value", async () => {
    repository.copyOf(clean.path);
    const shared =
      "SORT_KEY=id\nCACHE_KEY=v1\nX_KEY=true\nSTRIPE_PUBLIC_KEY=pk_9fK2mQ7xLw4Rt8Yb1Nc\n";
    repository.write(".env.staging", shared);
    repository.write(".env.production", shared);
    repository.write(".env.local", `HEX_SECRET=${GENERIC_KEY}\n`);
    repository.write(".env", `HEX_SECRET=${GENERIC_KEY}\n`);
    expect((await repository.doctor()).code).toBe(0);
    repository.write(".env.staging", "DB_PASSWORD=summer24\n");
    repository.write(".env.production", "DB_PASSWORD=summer24\n");
    repository.write("secret", GENERIC_KEY);
    repository.write(".env.test", "HEX_SECRET_FILE=secret\n");
    repository.write(".env.ci", "HEX_SECRET_FILE=./secret\n");
    repository.write(".gitignore", ".env*\nsecret\n*.db*\n");
    const { of, stdout } = await repository.doctor();
    expect(of("environments_apart").details).toEqual([
      ".env.staging:1 DB_PASSWORD is the same as .env.production:1 DB_PASSWORD",
      expect.stringMatching(
        /^\.env\.test:1 HEX_SECRET_FILE is the same as \.env\.ci:1/,
      ),
    ]);
    expect(stdout).not.toContain("summer24");
  });

  it.each<[string, Environment, CheckName, RegExp]>([
    [
      "scopes that are too wide",
      { HEXHOOK_ENV: "staging", HEX_SCOPES: "read:*,write:*" },
      "scopes_minimal",
      /^HEX_SCOPES: write:\* is too wide: staging permits /,
    ],
    [
      "unset scopes",
      { HEX_SCOPES: "" },
      "scopes_minimal",
      /^HEX_SCOPES: is not set/,
    ],
    [
      "a missing creation date",
      { HEX_SECRET_CREATED_AT: "" },
      "key_age",
      /^HEX_SECRET: the creation date is missing/,
    ],
    [
      "an overdue secret",
      { HEX_SECRET_CREATED_AT: "2026-01-01" },
      "key_age",
      /^HEX_SECRET: \d{2,} days old$/,
    ],
    [
      "audit logging turned off",
      { AUDIT_STDOUT: "off" },
      "audit_logging",
      /^the trail is written only to the store: AUDIT_STDOUT is off, and neither AUDIT_FILE nor analytics is configured$/,
    ],
    [
      "a configuration that serve rejects",
      { MAX_BODY_BYTES: "1O24" },
      "signatures_validated",
      /^MAX_BODY_BYTES: must be a whole number/,
    ],
    [
      "a live key in development",
      { HEX_READ_KEY: LIVE_KEY },
      "keys_in_environment",
      /^HEX_READ_KEY: is a live key .* the environment is development/,
    ],
  ])("fails with %s", async (_what, env, check, detail) => {
    repository.copyOf(clean.path);
    const result = await repository.doctor(env);
    expect(result.code).toBe(1);
    expect(result.failed).toContain(check);
    expect(result.of(check).hint).not.toBe("");
    expect(result.of(check).details).toEqual([expect.stringMatching(detail)]);
    expect(result.stdout).not.toContain(LIVE_KEY);
  });

  it("passes with an intact trail, and names the changed entry of a tampered one", async () => {
    repository.copyOf(clean.path);
    const service = await startTestService(folder.path);
    for (const id of ["evt_1", "evt_2"]) {
      const body = eventBody(id);
      await service.post(body, signed(body));
    }
    await service.stop();
    const intact = await repository.doctor();
    expect(intact.of("audit_logging")).toMatchObject({
      status: "pass",
      details: expect.arrayContaining(["the trail in the store is intact"]),
    });
    const changed = (await service.entries()).find(
      ({ metadata }) => metadata["eventId"] === "evt_2",
    )!;
    const db = openFile(path.join(folder.path, "hexhook.db"));
    db.exec("UPDATE audit_entry SET line = replace(line, 'evt_2', 'evt_9')");
    db.close();
    const { code, of } = await repository.doctor();
    expect(code).toBe(1);
    const { writer, seq } = changed.chain;
    expect(of("audit_logging")).toMatchObject({
      status: "fail",
      details: [
        expect.stringMatching(
          new RegExp(`^TAMPERED: writer ${writer}, seq ${seq}: `),
        ),
        expect.stringMatching(/^TAMPERED: event hex\/evt_2: /),
      ],
    });
  });

  it("checks what it can outside a repository and in a shallow clone", async () => {
    repository.write("a.ts", `"${LIVE_KEY}"`);
    repository.write(".env", `HEX_READ_KEY=${GENERIC_KEY}`);
    const outside = await repository.doctor({ HEX_READ_KEY: "" });
    expect(outside.of("env_files_ignored").status).toBe("skip");
    expect(outside.of("exposed_keys").findings).toMatchObject([
      { path: "a.ts", line: 1 },
    ]);
    rmSync(path.join(folder.path, "a.ts"));
    repository.copyOf(clean.path);
    repository.write("b.ts", "b");
    const head = repository.commit();
    writeFileSync(
      path.join(folder.path, ".git/shallow"),
      `${repository.git("rev-parse", head).trim()}\n`,
    );
    const shallow = await repository.doctor();
    expect(shallow.of("exposed_keys")).toMatchObject({ status: "warn" });
  });
});
