import { createHash } from "node:crypto";
import type { AuditDraft } from "../../src/audit/entry.ts";
import type {
  ClaimedDelivery,
  DeliveryState,
} from "../../src/domain/delivery.ts";
import type * as open from "../../src/store/open.ts";
import { openStore, openStoreReader } from "../../src/store/open.ts";
import type { Store, StoreDeps } from "../../src/store/port.ts";
import { openPostgresStore } from "../../src/store/postgres/store.ts";
import type { ClaimRequest, EventRecord } from "../../src/store/records.ts";
import type { StoreUrl } from "../../src/store/url.ts";
import { cleanUp } from "./cleanup.ts";
import { SIGNING_KEY, WEBHOOK_REQUEST } from "./fixtures.ts";
import { readTrail } from "./read-trail.ts";
import {
  postgresDatabase,
  START,
  sqliteDatabase,
  type StoreKind,
} from "./test-database.ts";

/** Opens the built store, because its threads are JavaScript files. */
const BUILT: string = "../../dist/store.js";
const { openStoreOnThreads } = (await import(BUILT)) as typeof open;

export const SQLITE: StoreKind = {
  name: "SQLite",
  createDatabase: async () => sqliteDatabase(),
  open: openStore,
};

const THREADED_SQLITE: StoreKind = {
  ...SQLITE,
  name: "threaded SQLite",
  open: openStoreOnThreads,
};

/** Opens a store for which the database has the clock of the test. */
async function openOnPostgres(url: StoreUrl, deps: StoreDeps): Promise<Store> {
  if (url.driver !== "postgres") {
    throw new Error("not the URL of a PostgreSQL database");
  }
  return openPostgresStore(url, {
    ...deps,
    createClock: (_, now) => ({
      now,
      offset: () => 0,
      measure: async () => undefined,
    }),
  });
}

export const POSTGRES: StoreKind = {
  name: "PostgreSQL",
  createDatabase: postgresDatabase,
  open: openOnPostgres,
};

/** The kinds of stores in a SQLite file, for tests about the file. `openName`: the function of `src/store/open.ts`. */
export const SQLITE_KINDS = [
  { ...SQLITE, openName: "openStore" },
  { ...THREADED_SQLITE, openName: "openStoreOnThreads" },
] as const;

/** All kinds of stores. The tests in `test/store` run on each of them and do not distinguish them. */
export const KINDS: readonly StoreKind[] = [...SQLITE_KINDS, POSTGRES];

export interface RecordOptions {
  /** The number in the replay key of the request. Without it, an event has a key of its own. */
  readonly mac?: number;
  readonly body?: string | Buffer;
  readonly signedAt?: number | null;
  readonly destinations?: readonly string[];
  readonly orderKey?: string;
  readonly receivedAt?: number;
  readonly source?: string;
  readonly type?: string;
  readonly idSigned?: boolean;
  readonly sharedWith?: readonly string[];
  readonly coversKey?: boolean;
}

export function recordOf(id: string, options: RecordOptions = {}): EventRecord {
  const { mac = id, body = "{}", signedAt = 1000 } = options;
  const { destinations = ["d"], orderKey = null } = options;
  return {
    event: {
      source: options.source ?? "hex",
      id,
      type: options.type ?? "t",
      receivedAt: options.receivedAt ?? 5000,
      contentType: "application/json",
      headers: "{}",
      body: Buffer.from(body),
      idSigned: options.idSigned ?? true,
    },
    deliveries: destinations.map((destination) => ({ destination, orderKey })),
    claim: {
      signedAt,
      replayKey: createHash("sha256").update(String(mac)).digest(),
      coversKey: options.coversKey ?? true,
      sharedWith: options.sharedWith ?? [],
    },
    request: WEBHOOK_REQUEST,
  };
}

export function draftOf(action: AuditDraft["action"]): AuditDraft {
  return {
    at: 1,
    action,
    userId: "system",
    resource: "test",
    result: "success",
    metadata: {},
  };
}

export type TestStore = Awaited<ReturnType<typeof openStoreOfKind>>;

/** Opens a store in a new database. Its clock shows 5000 until a test sets it. It is closed when the test ends. */
export async function openStoreOfKind(kind: StoreKind) {
  const database = await kind.createDatabase();
  /** The attempts that this process has claimed and not ended. */
  const claims = new Map<number, { attempt: number; leaseUntil: number }>();
  let clock = START;
  let runs = 0;

  async function openAgain(options: Partial<StoreDeps> = {}): Promise<Store> {
    runs += 1;
    const opened = await kind.open(database.url, {
      signingKey: SIGNING_KEY,
      writer: `w${runs}`,
      now: () => clock,
      onFatal: (error) => {
        throw error;
      },
      delivers: true,
      poolSize: 4,
      ...options,
    });
    cleanUp(() => opened.close());
    return opened;
  }
  let store = await openAgain();

  /** The deliveries that this process attempts. After its lease an attempt is lost, as in a process that died. */
  const holding = (now: number): ReadonlySet<number> =>
    new Set(
      [...claims].flatMap(([id, { leaseUntil }]) =>
        leaseUntil > now ? [id] : [],
      ),
    );

  function end(id: number, attempt: number): void {
    if (claims.get(id)?.attempt === attempt) {
      claims.delete(id);
    }
  }

  return {
    database,
    store: () => store,
    now: () => clock,
    setClock: (at: number) => {
      clock = at;
    },
    /** Opens another store in the same database, as another process would. */
    openAgain,
    restart: async () => {
      await store.close();
      claims.clear();
      store = await openAgain();
    },
    /** Opens a reader as a command does. It is closed when the test ends. */
    reader: async () => {
      const reader = await openStoreReader(database.url);
      cleanUp(() => reader.close());
      return reader;
    },
    /** Returns the outcome. */
    record: async (id: string, options: RecordOptions = {}) =>
      (await store.record(recordOf(id, options))).outcome,
    /** Claims ten deliveries to `d` for a second, unless the request says otherwise. */
    claim: async (further: Partial<ClaimRequest> = {}) => {
      const request: ClaimRequest = {
        destination: "d",
        now: clock,
        dueUntil: further.now ?? clock,
        limit: 10,
        concurrency: 100_000,
        rateLimit: null,
        leaseUntil: clock + 1000,
        holding: holding(further.now ?? clock),
        crashed: "any",
        probed: null,
        kind: "handler",
        ...further,
      };
      const claimed = await store.claim(request);
      for (const { id, attempt } of claimed) {
        claims.set(id, { attempt, leaseUntil: request.leaseUntil });
      }
      return claimed;
    },
    settle: (
      { id, attempt }: Pick<ClaimedDelivery, "id" | "attempt">,
      next: DeliveryState = { state: "succeeded" },
    ) => {
      end(id, attempt);
      return store.settle({
        deliveryId: id,
        attempt,
        endedAt: clock,
        result:
          next.state === "succeeded"
            ? { ok: true, status: 204 }
            : { ok: false, reason: "status", status: 500 },
        next,
        entry: draftOf("delivery.succeeded"),
      });
    },
    release: ({ id, attempt }: Pick<ClaimedDelivery, "id" | "attempt">) => {
      end(id, attempt);
      return store.release(id, attempt, clock);
    },
    redeliver: (...deliveryIds: number[]) =>
      store.redeliver({ deliveryIds, now: clock, operator: "alice" }),
    /** Returns the trail as the store yields it. */
    entries: async () =>
      (await store.readAudit(0, 10_000)).map(
        ({ line }) =>
          JSON.parse(line) as {
            action: string;
            userId: string;
            metadata: Record<string, unknown>;
          },
      ),
    /** Returns the entries that a command reads. Throws when the chain is not intact. */
    trail: () => readTrail(database.url),
  };
}

export const idsOf = (claimed: readonly ClaimedDelivery[]): string[] =>
  claimed.map(({ event }) => event.id);

export const actionsOf = (
  entries: readonly { readonly action: string }[],
): string[] => entries.map(({ action }) => action);
