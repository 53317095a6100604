import { beforeEach, describe, expect, it } from "@jest/globals";
import type { AuditDraft } from "../../../../src/audit/entry.ts";
import { createRecentEntries } from "../../../../src/audit/sinks/recent-entries.ts";
import type { Store } from "../../../../src/store/port.ts";
import { openTestStore } from "../../../support/open-test-store.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;
let clock: number;

beforeEach(() => {
  folder = temporaryFolder();
  clock = 0;
});

const open = (writer: string): Promise<Store> =>
  openTestStore(folder.path, { writer });

const draft: AuditDraft = {
  at: 1,
  action: "server.started",
  userId: "system",
  resource: "test",
  result: "success",
  metadata: {},
};

describe("recent entries", () => {
  it("are those of all writers of the store in order, mostly without a read of the store", async () => {
    const [own, other] = [await open("own"), await open("other")];
    let asked = 0;
    const counted: Pick<Store, "readAudit"> = {
      readAudit: (...args) => {
        asked += 1;
        return own.readAudit(...args);
      },
    };
    const recent = createRecentEntries(counted, {
      writer: "own",
      monotonic: () => clock,
    });
    own.onCommit(({ entries }) => {
      recent.add(entries);
    });
    const { readAudit } = recent.reader();
    const taken: string[] = [];
    let position = 0;
    const takeAll = async (limit: number): Promise<void> => {
      let rows: Awaited<ReturnType<typeof readAudit>>;
      do {
        rows = await readAudit(position, limit);
        taken.push(...rows.map(({ line }) => line));
        position = rows.at(-1)?.position ?? position;
      } while (rows.length > 0);
    };
    const append = (store: Store, count: number): Promise<unknown> =>
      Promise.all(Array.from({ length: count }, () => store.append(draft)));

    await append(own, 5);
    await takeAll(2);
    expect(taken).toHaveLength(5);
    const before = asked;
    await append(own, 5);
    await takeAll(2);
    // At the end of the trail the store is not read again at once.
    expect([taken.length, asked]).toEqual([10, before]);

    await append(other, 3);
    await append(own, 2);
    await append(other, 1);
    clock += 1000;
    await takeAll(2);
    // More entries than memory keeps.
    await append(own, 2000);
    clock += 1000;
    await takeAll(500);
    const all = (await own.readAudit(0, 10_000)).map(({ line }) => line);
    expect(all.length).toBeGreaterThan(2010);
    expect(taken).toEqual(all);
  });

  it("of this process only are read without those of others, also when memory keeps no more of them", async () => {
    const [own, other] = [await open("own"), await open("other")];
    const recent = createRecentEntries(own, {
      writer: "own",
      monotonic: () => clock,
    });
    own.onCommit(({ entries }) => {
      recent.add(entries);
    });
    const [fast, slow] = [recent.ownReader(), recent.ownReader()];
    for (let n = 0; n < 10; n += 1) {
      await own.append(draft);
      await other.append(draft);
    }
    await Promise.all(Array.from({ length: 2000 }, () => own.append(draft)));
    const readAll = async (
      { readAudit }: ReturnType<typeof recent.ownReader>,
      limit: number,
    ): Promise<string[]> => {
      const found: string[] = [];
      let position = 0;
      let rows: Awaited<ReturnType<typeof readAudit>>;
      do {
        rows = await readAudit(position, limit);
        found.push(...rows.map(({ line }) => line));
        position = rows.at(-1)?.position ?? position;
      } while (rows.length > 0);
      return found;
    };
    const expected = (await own.readAudit(0, 10_000, "own")).map(
      ({ line }) => line,
    );
    expect(expected.length).toBeGreaterThan(2010);
    expect(await readAll(fast, 500)).toEqual(expected);
    expect(await readAll(slow, 7)).toEqual(expected);
  });
});
