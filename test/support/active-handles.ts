import type { Server as HttpServer } from "node:http";
import { Server, Socket } from "node:net";

/** What is open in this process, with the services that tests have started in it. Node keeps this list for debugging. */
function activeHandles(): readonly object[] {
  const { _getActiveHandles } = process as unknown as {
    _getActiveHandles: () => readonly object[];
  };
  return _getActiveHandles.call(process);
}

/** The HTTP server in this process that listens on a port. */
export function serverOn(port: number): HttpServer {
  for (const handle of activeHandles()) {
    const address = handle instanceof Server ? handle.address() : null;
    if (typeof address === "object" && address?.port === port) {
      return handle as HttpServer;
    }
  }
  throw new Error(`no server of this process listens on ${port}`);
}

/** The service's end of a connection that a test has made to a service in this process; null when it is closed. */
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
