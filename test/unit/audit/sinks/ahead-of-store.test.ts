import { describe, expect, it } from "@jest/globals";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { AuditChain } from "../../../../src/audit/chain.ts";
import { aheadOfStore } from "../../../../src/audit/sinks/ahead-of-store.ts";
import { readLastLine } from "../../../../src/audit/sinks/file-sink.ts";
import { CHECKPOINTS } from "../../../support/fixtures.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";
import { draft } from "../../../support/trails.ts";

const chain = new AuditChain("w", CHECKPOINTS);
const [first, second, third] = [1, 2, 3].map((n) => chain.append(draft(n)));

/** A store whose oldest entry has this line. */
const storeWith = (line: string | undefined) => ({
  readAudit: async () =>
    line === undefined ? [] : [{ position: 1, writer: "v", line }],
});

describe("the last entry of AUDIT_FILE", () => {
  it("is in the store if its writer has written it, or more", async () => {
    const store = storeWith(first!.line);
    expect(await aheadOfStore(second!.line, [second!], store)).toBeNull();
    expect(await aheadOfStore(second!.line, [third!], store)).toBeNull();
  });

  it("is missing in the store if its writer has written less there, or nothing", async () => {
    const place = { writer: "w", seq: 2 };
    const store = storeWith(first!.line);
    expect(await aheadOfStore(second!.line, [first!], store)).toEqual(place);
    expect(await aheadOfStore(second!.line, [], store)).toEqual(place);
    expect(await aheadOfStore(second!.line, [], storeWith(undefined))).toEqual(
      place,
    );
  });

  it("may be deleted by the retention if the oldest entry of the store is newer", async () => {
    const store = storeWith(third!.line);
    expect(await aheadOfStore(second!.line, [], store)).toBeNull();
  });

  it("is not known if the line is not an entry", async () => {
    const store = storeWith(undefined);
    expect(await aheadOfStore(null, [], store)).toBeNull();
    expect(await aheadOfStore("another program's", [], store)).toBeNull();
  });

  it("takes little room in server.started, whatever another program wrote", async () => {
    const long = new AuditChain("w".repeat(7500), CHECKPOINTS).append(draft(1));
    const place = await aheadOfStore(long.line, [], storeWith(undefined));
    expect(place).toEqual({ writer: `${"w".repeat(200)}…`, seq: 1 });
  });

  it("is read without a change of the file, to which another process may be writing", async () => {
    const file = path.join(temporaryFolder().path, "audit.log");
    expect(await readLastLine(file)).toBeNull();
    writeFileSync(file, `${first!.line}\n${second!.line}\n`);
    appendFileSync(file, third!.line.slice(0, 100));
    const before = readFileSync(file, "utf8");
    expect(await readLastLine(file)).toBe(second!.line);
    expect(readFileSync(file, "utf8")).toBe(before);
  });
});
