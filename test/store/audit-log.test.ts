import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  actionsOf,
  draftOf,
  KINDS,
  openStoreOfKind,
  type TestStore,
} from "../support/stores.ts";

describe.each(KINDS)("the audit log of a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

  const actions = async () => actionsOf(await test.entries());

  it("signs new entries with a checkpoint, and no entry twice", async () => {
    await test.store().append(draftOf("server.started"));
    await test.store().checkpoint();
    await test.store().checkpoint();
    await test.store().append(draftOf("server.stopped"));
    await test.store().checkpoint();
    expect(await actions()).toEqual([
      "server.started",
      "audit.checkpoint",
      "server.stopped",
      "audit.checkpoint",
    ]);
  });

  it("returns the last entry of each writer, newest first, and the last position", async () => {
    expect(await test.store().lastPosition()).toBe(0);
    await test.store().append(draftOf("server.started"));
    await test.store().append(draftOf("server.stopped"));
    const second = await test.openAgain();
    await second.append(draftOf("server.started"));
    expect(
      (await test.store().heads()).map(({ writer, seq }) => [writer, seq]),
    ).toEqual([
      ["w2", 1],
      ["w1", 2],
    ]);
    const rows = await test.store().readAudit(0, 10);
    expect(await test.store().lastPosition()).toBe(rows.at(-1)!.position);
  });

  it("is read in order, in steps, and for one writer", async () => {
    const second = await test.openAgain();
    for (let n = 0; n < 5; n += 1) {
      await test.store().append(draftOf("server.started"));
      await second.append(draftOf("server.stopped"));
    }
    const all = await test.store().readAudit(0, 100);
    expect(all).toHaveLength(10);
    const positions = all.map(({ position }) => position);
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    const steps = [await second.readAudit(0, 4)];
    while (steps.at(-1)!.length > 0) {
      steps.push(await second.readAudit(steps.at(-1)!.at(-1)!.position, 4));
    }
    expect(steps.flat()).toEqual(all);
    const own = await test.store().readAudit(0, 100, "w1");
    expect(own.map(({ line }) => line)).toEqual(
      all.map(({ line }) => line).filter((line) => line.includes('"w1"')),
    );
    expect(await test.store().readAudit(own[1]!.position, 2, "w1")).toEqual(
      own.slice(2, 4),
    );
  });

  it("has the lines of one turn in the order of the calls, however many", async () => {
    // After 1,000 there is a checkpoint.
    const total = 999;
    await Promise.all(
      Array.from({ length: total }, (_, n) =>
        test.store().append({
          ...draftOf("webhook.rejected"),
          metadata: { n, text: "x".repeat(n) },
        }),
      ),
    );
    expect((await test.trail()).map(({ metadata }) => metadata["n"])).toEqual(
      Array.from({ length: total }, (_, n) => n),
    );
    await test.store().probe();
  });

  it("keeps any text that JSON can contain", async () => {
    const text = "\0\ud800\udfff\u2028\ufeff\u{1f600}'\"\\{},NULL";
    await test
      .store()
      .append({ ...draftOf("config.reloaded"), metadata: { text } });
    expect((await test.trail())[0]!.metadata).toEqual({ text });
  });

  it("finds the lines that contain texts, from either end", async () => {
    for (const user of ["a_b", "a%b", "aXb", "a_b"]) {
      await test.store().append({
        ...draftOf("config.reloaded"),
        metadata: { user },
      });
    }
    const search = async (order: "newest" | "oldest", text: string) => {
      const found: number[] = [];
      let from: number | null = null;
      do {
        const step: Awaited<
          ReturnType<ReturnType<TestStore["store"]>["searchAudit"]>
        > = await test
          .store()
          .searchAudit({ order, from, limit: 1, containing: [text] });
        found.push(...step.rows.map(({ position }) => position));
        from = step.next;
      } while (from !== null);
      return found;
    };
    const [first, second, , last] = (await test.store().readAudit(0, 10)).map(
      ({ position }) => position,
    );
    expect(await search("oldest", '"user":"a_b"')).toEqual([first, last]);
    expect(await search("newest", '"user":"a_b"')).toEqual([last, first]);
    expect(await search("newest", "a%b")).toEqual([second]);
    expect(await search("newest", "A_B")).toEqual([]);
  });

  it("is probed with a write, which detects a trail that was changed from outside", async () => {
    await test.store().probe();
    await test.store().append(draftOf("server.started"));
    await test.store().probe();
    await test.database.execute("DELETE FROM audit_writer");
    const changed = { code: "AUDIT_CHANGED" };
    await expect(test.store().probe()).rejects.toMatchObject(changed);
    // A probe still fails after later entries, because a changed trail proves nothing.
    await test.store().append(draftOf("server.stopped"));
    await expect(test.store().probe()).rejects.toMatchObject(changed);
  });

  it("fails a probe if its last line is not the one that the store wrote", async () => {
    await test.store().append(draftOf("server.started"));
    await Promise.all([
      test.store().append(draftOf("server.stopped")),
      test.store().probe(),
    ]);
    const last = await test.store().lastPosition();
    await test.database.execute(
      `DELETE FROM audit_entry WHERE position = ${last}`,
    );
    await expect(test.store().probe()).rejects.toMatchObject({
      code: "AUDIT_CHANGED",
    });
  });

  it("fails every later probe after its head was changed from outside, even if the head is restored", async () => {
    await test.store().append(draftOf("server.started"));
    await test.database.execute("UPDATE audit_writer SET seq = 7, hash = 'x'");
    // This write fails or does not find its head. Then the head that the store expects is restored.
    await test
      .store()
      .append(draftOf("server.stopped"))
      .catch(() => undefined);
    const last = (await test.store().readAudit(0, 10)).at(-1)!;
    const { chain, hash } = JSON.parse(last.line) as {
      chain: { seq: number };
      hash: string;
    };
    await test.database.execute(
      `UPDATE audit_writer SET seq = ${chain.seq}, hash = '${hash}'`,
    );
    await expect(test.store().probe()).rejects.toMatchObject({
      code: "AUDIT_CHANGED",
    });
  });

  it("rejects a call with an argument that cannot be read, and keeps working", async () => {
    const metadata = {
      get boom(): never {
        throw new Error("boom");
      },
    };
    const broken = test
      .store()
      .append({ ...draftOf("server.started"), metadata });
    await expect(broken).rejects.toMatchObject({ name: "StoreError" });
    await test.store().append(draftOf("server.started"));
    expect((await actions()).at(-1)).toBe("server.started");
  });
});
