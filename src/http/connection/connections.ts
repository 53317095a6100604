import type { Socket } from "node:net";
import { networkOf } from "../../domain/ip-address.ts";
import type { RejectedConnections } from "../../telemetry/happening.ts";
import type { IsProxy } from "../client-address.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import { Connection, type ConnectionDeps } from "./connection.ts";

/** How often rejected connections are reported, in milliseconds. */
const REPORT_EVERY_MS = 60_000;

type Counts = { -readonly [Reason in keyof RejectedConnections]: number };

export interface ConnectionsDeps extends Omit<ConnectionDeps, "onOverflow"> {
  /** The limit per address does not apply to trusted proxies, which forward the requests of many senders. */
  readonly isProxy: IsProxy;
  /** Called at most once a minute with the number of connections closed since the last call. */
  readonly onReject: (rejected: RejectedConnections) => void;
}

/** The open connections of one listener. */
export interface Connections {
  /** Adds a new connection, or closes it if a limit is reached. */
  readonly accept: (socket: Socket) => void;
  /** Closes connections without progress. Call it periodically. */
  readonly sweep: () => void;
  /** Closes connections that have sent no byte. Node does not count them as idle, so close() would wait for them. */
  readonly closeUnused: () => void;
}

export function createConnections(
  deps: ConnectionsDeps,
  limits: ConnectionLimits & {
    /** Time without progress before a client is disconnected, in milliseconds. */
    readonly stuckMs: number;
  },
): Connections {
  const open = new Map<Socket, Connection>();
  const perNetwork = new Map<string, number>();
  let rejected: Counts | null = null;
  let reportedAt = Number.NEGATIVE_INFINITY;

  function report(): void {
    const now = deps.now();
    if (rejected !== null && now - reportedAt >= REPORT_EVERY_MS) {
      reportedAt = now;
      deps.onReject(rejected);
      rejected = null;
    }
  }

  function count(reason: keyof RejectedConnections): void {
    rejected ??= { overLimit: 0, overAddressShare: 0, outOfMemory: 0 };
    rejected[reason] += 1;
    report();
  }

  const connectionDeps: ConnectionDeps = {
    ...deps,
    onOverflow: () => {
      count("outOfMemory");
    },
  };

  /** Returns the limit that a new connection exceeds, or null. */
  function excessOf(
    address: string,
    network: string,
  ): keyof RejectedConnections | null {
    if (open.size >= limits.max) {
      return "overLimit";
    }
    return (perNetwork.get(network) ?? 0) >= limits.maxPerNetwork &&
      !deps.isProxy(address, 0)
      ? "overAddressShare"
      : null;
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
      deps.scheduler.shortenTurn();
      const connection = new Connection(socket, connectionDeps);
      const { peer } = connection;
      if (peer === null) {
        // The client reset the connection before it was accepted, so there is no address to count.
        socket.destroy();
        return;
      }
      const network = networkOf(peer);
      const excess = excessOf(peer, network);
      if (excess !== null) {
        socket.destroy();
        count(excess);
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
      report();
      for (const [socket, connection] of open) {
        if (connection.isStuck(limits.stuckMs)) {
          socket.destroy();
        }
      }
    },
    closeUnused() {
      for (const socket of open.keys()) {
        if (socket.bytesRead === 0) {
          socket.destroy();
        }
      }
    },
  };
}
