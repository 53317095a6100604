import { beforeEach, describe, expect, it } from "@jest/globals";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { replaceFile } from "../../../src/key-rotation/replace-file.ts";
import {
  type RotationDeps,
  rotateKey,
} from "../../../src/key-rotation/rotate-key.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const OLD_KEY = "old-write-key-0123456789";
const NEW_KEY = "new-write-key-9876543210";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const keyFile = (): string => path.join(folder.path, "write-key");

describe("a key rotation", () => {
  const steps = (more: Partial<RotationDeps>): RotationDeps => ({
    prove: async () => undefined,
    replace: (key) => replaceFile(keyFile(), key),
    read: () => readFileSync(keyFile(), "utf8"),
    reloaded: async () => ({ outcome: "reloaded", writer: "w" }),
    signal: new AbortController().signal,
    onStep: () => undefined,
    ...more,
  });

  it("restores the old key when the second check fails", async () => {
    writeFileSync(keyFile(), OLD_KEY);
    let proofs = 0;
    const prove = async (): Promise<void> => {
      proofs += 1;
      if (proofs === 2) {
        throw new Error("no");
      }
    };
    expect(await rotateKey(steps({ prove }), NEW_KEY)).toEqual({
      ok: false,
      inForce: "old",
      step: "prove_again",
      why: "no",
    });
    expect(readFileSync(keyFile(), "utf8")).toBe(OLD_KEY);
  });

  it("says which key is current when the old one cannot be restored", async () => {
    writeFileSync(keyFile(), OLD_KEY);
    const replace: RotationDeps["replace"] = async (key) => ({
      ...(await replaceFile(keyFile(), key)),
      restore: (): Promise<boolean> =>
        Promise.reject(Object.assign(new Error("x"), { code: "EROFS" })),
    });
    const reloaded = async () => ({ outcome: "unconfirmed" }) as const;
    expect(
      await rotateKey(steps({ replace, reloaded }), NEW_KEY),
    ).toMatchObject({
      ok: false,
      inForce: "new",
      why: expect.stringMatching(/could not be restored .*EROFS/),
    });
  });

  it("keeps a key that another rotation has written meanwhile", async () => {
    writeFileSync(keyFile(), OLD_KEY);
    const reloaded = async () => {
      writeFileSync(keyFile(), "third-key");
      return { outcome: "unconfirmed" } as const;
    };
    expect(await rotateKey(steps({ reloaded }), NEW_KEY)).toMatchObject({
      ok: false,
      inForce: "another",
      why: expect.stringMatching(/another rotation/),
    });
    expect(readdirSync(folder.path)).toEqual(["write-key"]);
    expect(readFileSync(keyFile(), "utf8")).toBe("third-key");
  });
});
