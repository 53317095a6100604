import type { Server as HttpServer } from "node:http";
import { Server, Socket } from "node:net";

/** Returns what is open in this process, including its services. Node keeps this list for debugging. */
function activeHandles(): readonly object[] {
  const { _getActiveHandles } = process as unknown as {
    _getActiveHandles: () => readonly object[];
  };
  return _getActiveHandles.call(process);
}

/** Returns the HTTP server of this process that listens on a port. */
export function serverOn(port: number): HttpServer {
  for (const handle of activeHandles()) {
    const address = handle instanceof Server ? handle.address() : null;
    if (typeof address === "object" && address?.port === port) {
      return handle as HttpServer;
    }
  }
  throw new Error(`no server of this process listens on ${port}`);
}

/** Returns the service's end of a connection from a test to a service in this process; null = closed. */
export function acceptedSocket(client: Socket): Socket | null {
  const { localPort } = client;
  const found = activeHandles().find(
    (handle) =>
      handle instanceof Socket &&
      handle !== client &&
      handle.remotePort === localPort,
  );
  return (found as Socket | undefined) ?? null;
}
