import type { ChainHead, ChainMark } from "../../audit/chain.ts";
import { StoreError } from "../../errors.ts";
import type { HeldRow } from "./audit-writer.ts";
import type { Connection } from "./connection.ts";
import { endEarlier, prepareConnection, takeWriter } from "./fence.ts";
import { type ClaimKey, forgetClaims } from "./replay-claims.ts";

/** A transaction whose connection was lost before its outcome arrived. */
export interface Doubt {
  readonly from: ChainMark;
  readonly to: ChainHead;
  /** The day of its entries. */
  readonly day: number;
  /** Called once, with the positions of its entries if it was committed; null = it was not, and never will be. */
  readonly resolve: (positions: readonly number[] | null) => void;
}

/** How long reconnecting may take, with everything that must be settled before the next transaction. Milliseconds. */
const READY_MS = 2000;

/** The last commit: its head, and where its last entry is. */
export interface Committed {
  readonly head: ChainHead;
  readonly position: number;
  readonly day: number;
}

/**
 * The connection of a lane. It finds out what became of transactions whose outcome is unknown, before anything else is
 * written.
 */
export interface LaneSession {
  /**
   * Returns the connection on which the next transaction can run. Rejects with StoreError if the database cannot be used
   * now.
   */
  readonly ready: () => Promise<Connection>;
  /** The outcome of a transaction is unknown. `ready` resolves it. */
  readonly doubt: (doubt: Doubt) => void;
  /** A transaction did not find its head or its fence. `ready` takes the writer's row again. */
  readonly distrust: () => void;
  readonly committed: () => Committed;
  readonly commit: (committed: Committed) => void;
  /** What the row must contain in the next transaction. */
  readonly row: () => HeldRow;
  /** The claims of these committed records are deleted by `ready`, because their senders got an error. */
  readonly forget: (claims: readonly ClaimKey[]) => void;
  /** Whether `ready` has something to do besides connecting. */
  readonly isUnsettled: () => boolean;
  /** Whether the stored head was not the one that this process wrote last. Never reset. */
  readonly isTampered: () => boolean;
  readonly tampered: () => void;
  readonly close: () => Promise<void>;
  /** Ends the connection at once. A transaction in flight fails. */
  readonly destroy: () => void;
}

const POSITIONS = {
  // With the day the executor skips the earlier partitions.
  name: "",
  text: "SELECT position, line FROM audit_entry WHERE writer = $1 AND position > $2 AND seq > $3 AND day >= $4 ORDER BY position",
};

export function createLaneSession(deps: {
  /** `withinMs`: the maximum time to connect. */
  readonly connect: (withinMs: number) => Promise<Connection>;
  /** The head before the first entry. */
  readonly start: ChainHead;
  readonly now: () => number;
}): LaneSession {
  const { now } = deps;
  const { writer } = deps.start;
  let connection: Connection | null = null;
  let row: HeldRow = { fence: 0, foreignHash: null };
  /** Whether the row must be taken before the next transaction. */
  let mustTake = true;
  let doubt: Doubt | null = null;
  let isTampered = false;
  let isClosed = false;
  let committed: Committed = { head: deps.start, position: 0, day: 0 };
  let forgotten: ClaimKey[] = [];

  async function open(by: number): Promise<Connection> {
    const earlier = connection;
    connection = null;
    mustTake = true;
    const opened = await deps
      .connect(Math.max(1, by - performance.now()))
      .catch((error: unknown) => {
        // The next try ends it.
        connection = earlier;
        throw error;
      });
    try {
      opened.endBy(by);
      if (isClosed) {
        throw closedError();
      }
      await prepareConnection(opened, writer);
      if (earlier !== null) {
        await endEarlier(opened, writer, earlier).catch(ignoreIfOpen(opened));
      }
    } catch (error) {
      opened.destroy();
      connection = earlier;
      throw error;
    }
    connection = opened;
    return opened;
  }

  /** Finds out how the last transaction ended, and makes sure that the row is this connection's. */
  async function takeRow(on: Connection): Promise<void> {
    const { fence, hash } = await takeWriter(on, writer, now());
    if (doubt !== null) {
      const { resolve } = doubt;
      const positions = await readPositions(on, doubt);
      doubt = null;
      resolve(positions);
    }
    const isForeign = hash !== committed.head.hash;
    isTampered ||= isForeign;
    row = { fence, foreignHash: isForeign ? hash : null };
    mustTake = false;
  }

  /** Returns the positions of the entries after the last known commit; null = they are not stored. */
  async function readPositions(
    on: Connection,
    { to, day }: Doubt,
  ): Promise<number[] | null> {
    const { head, position } = committed;
    const rows = await on.query<{ position: number; line: string }>(POSITIONS, [
      writer,
      position,
      head.seq,
      Math.min(day, committed.day),
    ]);
    return rows.at(-1)?.line.endsWith(`"${to.hash}"}`) === true
      ? rows.map((found) => found.position)
      : null;
  }

  async function settleDoubts(on: Connection): Promise<void> {
    if (mustTake) {
      await takeRow(on);
    }
    if (forgotten.length > 0) {
      const claims = forgotten;
      await forgetClaims(on, claims);
      forgotten = forgotten.slice(claims.length);
    }
  }

  return {
    async ready() {
      if (isClosed) {
        throw closedError();
      }
      const by = performance.now() + READY_MS;
      const usable =
        connection?.isOpen() === true ? connection : await open(by);
      usable.endBy(by);
      try {
        await settleDoubts(usable);
      } catch (error) {
        // Another server may answer the next connection, for example after a failover.
        usable.destroy();
        throw error;
      }
      return usable;
    },
    doubt(next) {
      doubt = next;
    },
    distrust() {
      mustTake = true;
    },
    committed: () => committed,
    commit(next) {
      committed = next;
    },
    row: () => row,
    forget(claims) {
      forgotten.push(...claims);
    },
    isUnsettled: () => doubt !== null || forgotten.length > 0,
    isTampered: () => isTampered,
    tampered() {
      isTampered = true;
    },
    async close() {
      isClosed = true;
      await connection?.close();
    },
    destroy() {
      isClosed = true;
      connection?.destroy();
    },
  };
}

/** A server may not let this user end connections. */
function ignoreIfOpen(connection: Connection): (error: unknown) => void {
  return (error) => {
    if (!connection.isOpen()) {
      throw error;
    }
  };
}

export function closedError(): StoreError {
  return new StoreError("the store is closed", {
    code: "STORE_CLOSED",
    fatal: false,
  });
}
