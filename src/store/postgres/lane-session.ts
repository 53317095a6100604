import type { ChainHead, ChainMark } from "../../audit/chain.ts";
import { StoreError } from "../../errors.ts";
import type { Connection } from "./connection.ts";
import {
  endEarlier,
  prepareConnection,
  restoreWriter,
  takeWriter,
  type WriterRow,
} from "./fence.ts";
import { type ClaimKey, forgetClaims } from "./in-doubt.ts";

/** A transaction whose connection was lost before its outcome arrived. */
export interface Doubt {
  readonly from: ChainMark;
  readonly to: ChainHead;
  /** Called once, with the positions of its entries if it was committed; null = it was not, and never will be. */
  readonly resolve: (positions: readonly number[] | null) => void;
}

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
  readonly fence: () => number;
  /** The claims of these committed records are deleted by `ready`, because their senders got an error. */
  readonly forget: (claims: readonly ClaimKey[]) => void;
  /** Whether `ready` has something to do besides connecting. */
  readonly isUnsettled: () => boolean;
  /** Whether the stored head was not the one that this process wrote last. Never reset. */
  readonly isTampered: () => boolean;
  readonly tampered: () => void;
  readonly close: () => Promise<void>;
}

const POSITIONS = {
  // Without a name, so that the planner sees the day and skips the other partitions.
  name: "",
  text: "SELECT position FROM audit_entry WHERE writer = $1 AND position > $2 AND seq > $3 AND day >= $4 ORDER BY position",
};

export function createLaneSession(deps: {
  readonly connect: () => Promise<Connection>;
  /** The head before the first entry. */
  readonly start: ChainHead;
  readonly now: () => number;
}): LaneSession {
  const { now } = deps;
  const { writer } = deps.start;
  let connection: Connection | null = null;
  /** Null: the row must be taken before the next transaction. */
  let row: WriterRow | null = null;
  let doubt: Doubt | null = null;
  let isTampered = false;
  let isClosed = false;
  let lastFence = 0;
  let committed: Committed = { head: deps.start, position: 0, day: 0 };
  let forgotten: ClaimKey[] = [];

  async function open(): Promise<Connection> {
    const earlier = connection;
    connection = null;
    row = null;
    const opened = await deps.connect();
    try {
      await prepareConnection(opened, writer);
      if (earlier !== null) {
        await endEarlier(opened, writer, earlier).catch(ignoreIfOpen(opened));
      }
    } catch (error) {
      opened.destroy();
      // The next try ends it.
      connection = earlier;
      throw error;
    }
    connection = opened;
    return opened;
  }

  /** Finds out how the last transaction ended, and makes sure that the row is this connection's. */
  async function takeRow(on: Connection): Promise<void> {
    let taken = await takeWriter(on, writer, now());
    if (doubt !== null) {
      const { to, resolve } = doubt;
      const positions = taken.hash === to.hash ? await readPositions(on) : null;
      doubt = null;
      resolve(positions);
    }
    if (taken.hash !== committed.head.hash) {
      isTampered = true;
      taken = await restoreWriter(on, committed.head, lastFence + 1);
    }
    row = taken;
    lastFence = taken.fence;
  }

  /** Returns the positions of the entries after the last known commit. */
  async function readPositions(on: Connection): Promise<number[]> {
    const { head, position, day } = committed;
    const rows = await on.query<{ position: number }>(POSITIONS, [
      writer,
      position,
      head.seq,
      day,
    ]);
    return rows.map((found) => found.position);
  }

  async function settleDoubts(on: Connection): Promise<void> {
    if (row === null) {
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
      const usable = connection?.isOpen() === true ? connection : await open();
      usable.endBy(null);
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
      row = null;
    },
    committed: () => committed,
    commit(next) {
      committed = next;
    },
    fence: () => lastFence,
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
