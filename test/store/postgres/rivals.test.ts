import { describe, expect, it } from "@jest/globals";
import { openStore } from "../../../src/store/open.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { SIGNING_KEY } from "../../support/fixtures.ts";
import { readTrail } from "../../support/read-trail.ts";
import { recordOf } from "../../support/stores.ts";
import { postgresDatabase } from "../../support/test-database.ts";

describe("two PostgreSQL stores on one database", () => {
  it("accept each of the same events once, in whatever order they get them, and keep their chains", async () => {
    const { url, query } = await postgresDatabase();
    const open = async (writer: string) => {
      const store = await openStore(url, {
        writer,
        signingKey: SIGNING_KEY,
        now: Date.now,
        onFatal: (error) => {
          throw error;
        },
        delivers: false,
        poolSize: 4,
      });
      cleanUp(() => store.close());
      return store;
    };
    const [one, other] = [await open("one"), await open("two")];
    const events = Array.from({ length: 300 }, (_, n) =>
      recordOf(`e${n}`, { signedAt: n % 3 === 0 ? null : 1000 + n }),
    );
    const [first, second] = await Promise.all([
      Promise.all(events.map(one.record)),
      Promise.all([...events].reverse().map(other.record)),
    ]);
    const outcomes = events.map((_, n) =>
      [first[n]!.outcome, second[events.length - 1 - n]!.outcome].sort(),
    );
    expect(outcomes).toEqual(events.map(() => ["accepted", "replayed"]));
    expect(await query("SELECT count(*) FROM event")).toEqual([
      [events.length],
    ]);
    const actions = (await readTrail(url)).map(({ action }) => action);
    expect(actions).toEqual(events.map(() => "webhook.accepted"));
  });
});
