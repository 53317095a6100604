import { describe, expect, it } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { hexhook } from "../../support/hexhook.ts";
import { environment } from "../../support/processes.ts";
import { inProject } from "../../support/project.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

describe("hexhook demo", () => {
  it("shows the expected result of each delivery, and exits with 0", async () => {
    const { code, stdout } = await hexhook(["demo"], {
      cwd: temporaryFolder().path,
    });
    expect(stdout).toContain("Everything worked as expected");
    expect(stdout).not.toContain("FAIL ran");
    expect(stdout.match(/^ {2}ok {3}/gm)).toHaveLength(10);
    expect(stdout).not.toMatch(/^ {2}FAIL (?!webhook)/m);
    expect(code).toBe(0);
  });

  it("fails when verification is broken", async () => {
    const place = temporaryFolder();
    cpSync(inProject("dist"), path.join(place.path, "dist"), {
      recursive: true,
    });
    cpSync(inProject("package.json"), path.join(place.path, "package.json"));
    symlinkSync(
      inProject("node_modules"),
      path.join(place.path, "node_modules"),
    );
    const comparison = "timingSafeEqual(mac, signature)";
    const files = readdirSync(path.join(place.path, "dist"))
      .map((name) => path.join(place.path, "dist", name))
      .filter(
        (file) =>
          file.endsWith(".js") &&
          readFileSync(file, "utf8").includes(comparison),
      );
    expect(files).toHaveLength(1);
    for (const file of files) {
      const source = readFileSync(file, "utf8");
      writeFileSync(file, source.replace(comparison, "true"));
    }

    const child = spawn(
      process.execPath,
      [path.join(place.path, "dist/cli.js"), "demo"],
      {
        cwd: place.path,
        env: environment({}),
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    const [code] = (await once(child, "close")) as [number];
    expect(code).toBe(1);
    expect(text).toContain("Some steps failed: see the lines with FAIL above");
  });
});
