import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { LookupFunction, Socket } from "node:net";

/** Less than the 5 s after which common servers close: a request rarely meets a connection that is being closed. */
const IDLE_MS = 4000;

/** How long one of several addresses has to accept before the next is tried; Node's own 250 ms are short for far places. */
const ADDRESS_MS = 1000;

/**
 * Connections to one place, at most `connections`, kept open between requests for 4 s, or for less when the server says
 * so with `Keep-Alive: timeout=…`. `lookup` resolves the name of the place. `destroy()` closes all of them.
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
  // It does answer (documentation of node:http); its type forgets it.
  const keep: (socket: Socket) => unknown = agent.keepSocketAlive.bind(agent);
  const reuse = agent.reuseSocket.bind(agent);

  agent.createConnection = (...args) => {
    const socket = connect(...args);
    // Node leaves a socket without a listener for errors on its way from one request to the next.
    socket?.on("error", ignore);
    return socket;
  };
  agent.keepSocketAlive = (socket: Socket) => {
    // A server that speaks unasked is out of step: what it says next would count as the answer to another event.
    // To go when the oldest Node that is supported sees to it, as 24 does.
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
  // The request under way hears of it, and without one nobody needs to.
}

function destroy(this: Socket): void {
  this.destroy();
}
