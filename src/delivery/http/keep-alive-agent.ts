import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { LookupFunction, Socket } from "node:net";

/**
 * How long an idle connection stays open. Common servers close it after 5 s, so a request rarely gets one that is closing.
 */
const IDLE_MS = 4000;

/** How long an address may take to accept before the next one is tried. Node's default of 250 ms is short for distant servers. */
const ADDRESS_MS = 1000;

/**
 * Creates an agent with at most `connections` connections to one server. They stay open for 4 s between requests, or less
 * if the server sends `Keep-Alive: timeout=…`. `lookup` resolves the name of the server. `destroy()` closes all connections.
 */
export function createKeepAliveAgent(
  deps: { lookup: LookupFunction },
  options: { secure: boolean; connections: number },
): HttpAgent {
  const { secure, connections } = options;
  const agent: HttpAgent = new (secure ? HttpsAgent : HttpAgent)({
    keepAlive: true,
    maxSockets: connections,
    maxFreeSockets: connections,
    timeout: IDLE_MS,
    autoSelectFamilyAttemptTimeout: ADDRESS_MS,
    lookup: deps.lookup,
  });
  const connect = agent.createConnection.bind(agent);
  // `keepSocketAlive` returns a value (documentation of node:http), which its type omits.
  const keep: (socket: Socket) => unknown = agent.keepSocketAlive.bind(agent);
  const reuse = agent.reuseSocket.bind(agent);

  agent.createConnection = (...args) => {
    const socket = connect(...args);
    // Between two requests Node leaves a socket without a listener for errors.
    socket?.on("error", ignore);
    return socket;
  };
  agent.keepSocketAlive = (socket: Socket) => {
    // Data from a server between two requests would be taken as the response to the next event, so the connection is closed.
    // Node 24 does this itself. Remove this listener when Node 24 is the oldest supported version.
    socket.on("data", destroy);
    return keep(socket);
  };
  agent.reuseSocket = (socket, request) => {
    socket.off("data", destroy);
    reuse(socket, request);
  };
  return agent;
}

function ignore(): void {
  // A request in flight reports the error itself. Without a request the error does not matter.
}

function destroy(this: Socket): void {
  this.destroy();
}
