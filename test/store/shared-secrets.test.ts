import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  KINDS,
  openStoreOfKind,
  recordOf,
  type RecordOptions,
  type TestStore,
} from "../support/stores.ts";

describe.each(KINDS)("sources with one secret, in a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

  /** Records a message of the source `one` or `two`, which have one secret. */
  const record = async (
    source: "one" | "two",
    options: RecordOptions & { readonly id?: string } = {},
  ) => {
    const { id = "a", mac = 1, ...further } = options;
    const sharedWith = source === "one" ? ["x", "two"] : ["one", "x"];
    const { outcome, id: stored } = await test
      .store()
      .record(recordOf(id, { source, sharedWith, mac, ...further }));
    return stored === id ? outcome : [outcome, stored];
  };

  const count = async () =>
    Number((await test.database.query("SELECT count(*) FROM event"))[0]![0]);

  describe.each([
    ["signed at a time", 1000],
    ["without a signed time", null],
  ])("messages %s", (_, signedAt) => {
    it("have one effect if one request is sent to both", async () => {
      expect(await record("one", { signedAt })).toBe("accepted");
      expect(await record("two", { signedAt })).toBe("replayed");
      expect(await record("one", { signedAt })).toBe("replayed");
      expect(await count()).toBe(1);
    });

    it("have one effect if both get the request in one turn", async () => {
      expect(
        await Promise.all([
          record("one", { signedAt }),
          record("two", { signedAt }),
          record("two", { signedAt }),
          record("one", { signedAt }),
        ]),
      ).toEqual(["accepted", "replayed", "replayed", "replayed"]);
      expect(await count()).toBe(1);
    });

    it("are events of both if the sender has signed them for each", async () => {
      expect(await record("one", { signedAt })).toBe("accepted");
      expect(await record("two", { signedAt, mac: 2 })).toBe("accepted");
      expect(await record("one", { signedAt, mac: 2 })).toBe("replayed");
      expect(await record("two", { signedAt, mac: 1 })).toBe("replayed");
      expect(await record("two", { signedAt, mac: 3 })).toBe("duplicate");
      expect(await record("one", { signedAt, mac: 3 })).toBe("replayed");
      expect(await count()).toBe(2);
    });

    it("are replays also if the first source knew the event already", async () => {
      await record("one", { signedAt });
      expect(await record("one", { signedAt, mac: 2 })).toBe("duplicate");
      expect(await record("two", { signedAt, mac: 2 })).toBe("replayed");
      expect(await record("one", { signedAt, mac: 3, body: "{ }" })).toBe(
        "conflict",
      );
      expect(await record("two", { signedAt, mac: 3, body: "{ }" })).toBe(
        "replayed_conflict",
      );
      expect(await count()).toBe(1);
    });

    it("are recognized if the id is not signed, and named as they are stored", async () => {
      const unsigned = { idSigned: false, signedAt } as const;
      await record("one", { ...unsigned, id: "first" });
      expect(await record("two", { ...unsigned, id: "other" })).toEqual([
        "replayed",
        "first",
      ]);
      expect(await record("two", { ...unsigned, id: "other", mac: 2 })).toBe(
        "accepted",
      );
      expect(await count()).toBe(2);
    });

    it("are not compared with those of sources that have another secret", async () => {
      const alone = { signedAt, sharedWith: [] } as const;
      expect(await record("one", { signedAt })).toBe("accepted");
      expect(await record("two", alone)).toBe("accepted");
      expect(await record("two", alone)).toBe("replayed");
      expect(
        await Promise.all([
          record("one", { ...alone, id: "b", mac: 2 }),
          record("two", { ...alone, id: "b", mac: 2 }),
          record("two", { ...alone, id: "b", mac: 2 }),
        ]),
      ).toEqual([
        "accepted",
        "accepted",
        expect.stringMatching(/replayed|duplicate/),
      ]);
    });

    it("have one effect over several processes", async () => {
      const other = await test.openAgain();
      const both = await Promise.all(
        Array.from({ length: 100 }, async (_, n) => {
          const mac = n;
          const first = recordOf(`e${n}`, {
            source: "one",
            sharedWith: ["two"],
            mac,
            signedAt,
          });
          const second = recordOf(`e${n}`, {
            source: "two",
            sharedWith: ["one"],
            mac,
            signedAt,
          });
          const found = await Promise.all([
            test.store().record(first),
            other.record(second),
          ]);
          return found.map(({ outcome }) => outcome).sort();
        }),
      );
      expect(both).toEqual(both.map(() => ["accepted", "replayed"]));
      expect(await count()).toBe(100);
    });
  });
});
