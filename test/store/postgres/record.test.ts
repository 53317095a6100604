import { createHash } from "node:crypto";
import { beforeEach, describe, expect, it } from "@jest/globals";
import { openStore } from "../../../src/store/open.ts";
import type { Store } from "../../../src/store/port.ts";

import { AFTER_ANOTHER } from "../../../src/store/limits.ts";
import type { EventRecord } from "../../../src/store/records.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { eventually } from "../../support/eventually.ts";
import { SIGNING_KEY } from "../../support/fixtures.ts";
import { readTrail } from "../../support/read-trail.ts";
import { recordOf } from "../../support/stores.ts";
import {
  postgresDatabase,
  type TestDatabase,
} from "../../support/test-database.ts";

/** 25 MiB, the largest body that a source may accept. */
const LARGEST = 26_214_400;

describe("a PostgreSQL store", () => {
  let database: TestDatabase;
  let store: Store;

  beforeEach(async () => {
    database = await postgresDatabase();
    store = await openStore(database.url, {
      writer: "w",
      signingKey: SIGNING_KEY,
      now: Date.now,
      onFatal: (error) => {
        throw error;
      },
      delivers: false,
      poolSize: 4,
    });
    cleanUp(() => store.close());
  });

  /** A text with U+0000, which PostgreSQL rejects. */
  function rejected(id: string): EventRecord {
    const record = recordOf(id);
    return { ...record, event: { ...record.event, contentType: "a\0b" } };
  }

  it("fails only the record of a batch that the server rejects", async () => {
    const ids = Array.from({ length: 20 }, (_, n) => `e${n}`);
    const outcomes = await Promise.allSettled(
      ids.map((id, n) =>
        store.record(n === 7 || n === 8 ? rejected(id) : recordOf(id)),
      ),
    );
    expect(
      outcomes.map((one) =>
        one.status === "rejected"
          ? (one.reason as { code: unknown }).code
          : one.value.outcome,
      ),
    ).toEqual(ids.map((_, n) => (n === 7 || n === 8 ? "22021" : "accepted")));
    const actions = (await readTrail(database.url)).map(({ action }) => action);
    expect(
      actions.filter((action) => action === "webhook.accepted"),
    ).toHaveLength(18);
  });

  it("stores the largest body next to small ones", async () => {
    const body = Buffer.alloc(LARGEST, "0123456789");
    // On a busy machine the body may take longer than a request may wait. Then the sender sends it again.
    const send = (record: EventRecord) =>
      eventually(() =>
        store.record(record).then(
          () => true,
          () => false,
        ),
      );
    await Promise.all([
      send(recordOf("a")),
      send(recordOf("large", { body })),
      send(recordOf("b")),
    ]);
    expect(
      await database.query(
        "SELECT encode(sha256(body), 'hex'), length(body) FROM event ORDER BY length(body) DESC LIMIT 1",
      ),
    ).toEqual([[createHash("sha256").update(body).digest("hex"), LARGEST]]);
  });

  it("lets later deliveries of an order key wait, in one batch and over several", async () => {
    const one = recordOf("a", { orderKey: "k" });
    const two = recordOf("b", { orderKey: "k" });
    await Promise.all([store.record(one), store.record(two)]);
    await store.record(recordOf("c", { orderKey: "k" }));
    await store.record(recordOf("other", { orderKey: "other" }));
    expect(
      await database.query(
        `SELECT convert_from(e.id, 'UTF8'), p.due_at = ${AFTER_ANOTHER} FROM pending_delivery p
         JOIN event e ON e.seq = p.event_seq ORDER BY e.seq`,
      ),
    ).toEqual([
      ["a", false],
      ["b", true],
      ["c", true],
      ["other", false],
    ]);
  });
});
