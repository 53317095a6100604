import type { Socket } from "node:net";
import { networkOf } from "../core/address.ts";
import type { IsProxy } from "./client-address.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import { Connection, type ConnectionDeps } from "./connection.ts";

/** How often connections that were over the limit are reported, in milliseconds. */
const REPORT_EVERY_MS = 60_000;

export interface ConnectionsDeps extends Omit<ConnectionDeps, "onOverflow"> {
  /** A proxy speaks for many senders: the limit of an address does not hold for it. */
  readonly isProxy: IsProxy;
  /**
   * Called at most once a minute with the number of connections that were closed since the last call because there were too
   * many, or no memory for what they sent.
   */
  readonly onExcess: (closed: number) => void;
}

/** The open connections of one listener, within their limits. */
export interface Connections {
  /** Takes a new connection, or closes it when it is over the limit. */
  readonly accept: (socket: Socket) => void;
  /** Ends the connections that are stuck; to be called every now and then. */
  readonly sweep: () => void;
  /** Ends connections that never sent a byte: the server does not take them for idle, and would wait for them. */
  readonly endUnused: () => void;
}

export function createConnections(
  deps: ConnectionsDeps,
  limits: ConnectionLimits & {
    /** A client that reads nothing of its answers, or sends blank lines alone, is disconnected after this time in milliseconds. */
    readonly stuckMs: number;
  },
): Connections {
  const open = new Map<Socket, Connection>();
  const perNetwork = new Map<string, number>();
  let excess = 0;
  let reportedAt = Number.NEGATIVE_INFINITY;

  function reportExcess(): void {
    const now = deps.now();
    if (excess > 0 && now - reportedAt >= REPORT_EVERY_MS) {
      reportedAt = now;
      deps.onExcess(excess);
      excess = 0;
    }
  }

  function countExcess(): void {
    excess += 1;
    reportExcess();
  }

  const connectionDeps = { ...deps, onOverflow: countExcess };

  function isExcess(address: string, network: string): boolean {
    return (
      open.size >= limits.max ||
      ((perNetwork.get(network) ?? 0) >= limits.maxPerAddress &&
        !deps.isProxy(address, 0))
    );
  }

  function forget(socket: Socket, network: string): void {
    open.delete(socket);
    const count = perNetwork.get(network) ?? 0;
    if (count > 1) {
      perNetwork.set(network, count - 1);
    } else {
      perNetwork.delete(network);
    }
  }

  return {
    accept(socket) {
      deps.turns.hurry();
      const connection = new Connection(socket, connectionDeps);
      const { peer } = connection;
      if (peer === null) {
        // Reset before it was accepted: there is no one to answer, and no address to hold to its limits.
        socket.destroy();
        return;
      }
      const network = networkOf(peer);
      if (isExcess(peer, network)) {
        socket.destroy();
        countExcess();
        return;
      }
      open.set(socket, connection);
      perNetwork.set(network, (perNetwork.get(network) ?? 0) + 1);
      socket.once("close", () => {
        connection.release();
        forget(socket, network);
      });
    },
    sweep() {
      reportExcess();
      for (const [socket, connection] of open) {
        if (connection.isStuck(limits.stuckMs)) {
          socket.destroy();
        }
      }
    },
    endUnused() {
      for (const socket of open.keys()) {
        if (socket.bytesRead === 0) {
          socket.destroy();
        }
      }
    },
  };
}
