import path from "node:path";
import type { AuditDraft } from "../../src/audit/entry.ts";
import type {
  ClaimedDelivery,
  DeliveryState,
} from "../../src/domain/delivery.ts";
import type * as open from "../../src/store/open.ts";
import { openStore } from "../../src/store/open.ts";
import type { Store } from "../../src/store/port.ts";
import type { ClaimRequest, EventRecord } from "../../src/store/records.ts";
import { cleanUp } from "./cleanup.ts";
import { SIGNING_KEY, sqliteUrl, WEBHOOK_REQUEST } from "./fixtures.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Opens the built store, because its threads are JavaScript files. */
const BUILT: string = "../../dist/store/open.js";
export const { openStoreOnThreads } = (await import(BUILT)) as typeof open;

/** The kinds of stores. All of them must behave the same. */
export const KINDS = [
  { name: "SQLite", openKind: openStore },
  { name: "threaded SQLite", openKind: openStoreOnThreads },
] as const;

export type OpenKind = (typeof KINDS)[number]["openKind"];

export interface RecordOptions {
  /** The byte that fills the replay key of the request. */
  readonly mac?: number;
  readonly body?: string;
  readonly signedAt?: number | null;
  readonly destinations?: readonly string[];
  readonly orderKey?: string;
  readonly receivedAt?: number;
  readonly source?: string;
  readonly type?: string;
}

export function recordOf(id: string, options: RecordOptions = {}): EventRecord {
  const { mac = 1, body = "{}", signedAt = 1000 } = options;
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
    },
    deliveries: destinations.map((destination) => ({ destination, orderKey })),
    claim: { signedAt, replayKey: Buffer.alloc(32, mac) },
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

/** Opens a store in a new directory. Its clock shows 5000 until a test sets it. It is closed when the test ends. */
export async function openStoreOfKind(openKind: OpenKind) {
  const folder = temporaryFolder().path;
  const file = path.join(folder, "hexhook.db");
  let clock = 5000;
  let runs = 0;

  async function openAgain(): Promise<Store> {
    runs += 1;
    const opened = await openKind(sqliteUrl(file), {
      signingKey: SIGNING_KEY,
      writer: `w${runs}`,
      now: () => clock,
      onFatal: (error) => {
        throw error;
      },
      delivers: true,
      poolSize: 4,
    });
    cleanUp(() => opened.close());
    return opened;
  }
  let store = await openAgain();

  return {
    file,
    store: () => store,
    now: () => clock,
    setClock: (at: number) => {
      clock = at;
    },
    /** Opens the same file as another process would. */
    openAgain,
    restart: async () => {
      await store.close();
      store = await openAgain();
    },
    record: (id: string, options: RecordOptions = {}) =>
      store.record(recordOf(id, options)),
    /** Claims ten deliveries to `d` for a second, unless the request says otherwise. */
    claim: (further: Partial<ClaimRequest> = {}) =>
      store.claim({
        destination: "d",
        now: clock,
        dueUntil: further.now ?? clock,
        limit: 10,
        concurrency: 1000,
        rateLimit: null,
        leaseUntil: clock + 1000,
        holding: new Set<number>(),
        crashed: "any",
        probed: null,
        kind: "handler",
        ...further,
      }),
    settle: (
      { id, attempt }: Pick<ClaimedDelivery, "id" | "attempt">,
      next: DeliveryState = { state: "succeeded" },
    ) =>
      store.settle({
        deliveryId: id,
        attempt,
        endedAt: clock,
        result:
          next.state === "succeeded"
            ? { ok: true, status: 204 }
            : { ok: false, reason: "status", status: 500 },
        next,
        entry: draftOf("delivery.succeeded"),
      }),
    redeliver: (...deliveryIds: number[]) =>
      store.redeliver({ deliveryIds, now: clock, operator: "alice" }),
    /** Returns the trail as the store yields it. */
    entries: async () =>
      (await store.readAudit(0, 1000)).map(
        ({ line }) =>
          JSON.parse(line) as {
            action: string;
            userId: string;
            metadata: Record<string, unknown>;
          },
      ),
  };
}

export const idsOf = (claimed: readonly ClaimedDelivery[]): string[] =>
  claimed.map(({ event }) => event.id);
