import { describe, expect, it } from "@jest/globals";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createFileSink } from "../../../../src/audit/sinks/file-sink.ts";
import type { StoredEntry } from "../../../../src/store/records.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

describe("a file sink", () => {
  it("removes its own incomplete last line, and keeps one of another program", async () => {
    const row = (n: number): StoredEntry => ({
      position: n,
      writer: "w",
      line: `{"timestamp":"2026-11-23T18:00:00.000Z","n":${n}}`,
    });
    const file = path.join(temporaryFolder().path, "audit.log");
    const { signal } = new AbortController();
    writeFileSync(file, `${row(1).line}\n${row(2).line.slice(0, 30)}`);
    let sink = createFileSink(file);
    expect(await sink.lastLine?.()).toBe(row(1).line);
    await sink.write([row(2)], signal);
    await sink.close?.();
    expect(readFileSync(file, "utf8")).toBe(`${row(1).line}\n${row(2).line}\n`);
    writeFileSync(file, "another program's");
    sink = createFileSink(file);
    await sink.write([row(1)], signal);
    await sink.close?.();
    expect(readFileSync(file, "utf8")).toBe(
      `another program's\n${row(1).line}\n`,
    );
  });
});
