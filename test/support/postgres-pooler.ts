import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { cleanUp } from "./cleanup.ts";
import { createMessageReader } from "./postgres-messages.ts";

/** AuthenticationOk, and ReadyForQuery outside of a transaction. */
const WELCOME = Buffer.from([
  ...[0x52, 0, 0, 0, 8, 0, 0, 0, 0],
  ...[0x5a, 0, 0, 0, 5, 0x49],
]);

/**
 * Starts a connection pooler that gives one session of PostgreSQL to all its connections, request by request. Returns its
 * port.
 */
export async function startPooler(url: {
  readonly port: number;
  readonly user: string;
  readonly database: string;
}): Promise<number> {
  const server = connect(url.port, "127.0.0.1");
  const sockets = new Set<Socket>([server]);
  /** The connections whose requests the server has not answered, in order. */
  const inFlight: Socket[] = [];
  const parameters = `user\0${url.user}\0database\0${url.database}\0\0`;
  const start = Buffer.alloc(8 + parameters.length);
  start.writeInt32BE(start.length, 0);
  start.writeInt32BE(3 << 16, 4);
  start.write(parameters, 8);
  server.write(start);
  let isReady = false;
  const readResponse = createMessageReader({ hasStart: false });
  server.on("data", (chunk) => {
    for (const { type, bytes } of readResponse(chunk)) {
      if (isReady) {
        inFlight[0]?.write(bytes);
      }
      if (type === "Z") {
        inFlight.splice(0, isReady ? 1 : 0);
        isReady = true;
      }
    }
  });

  const listener = createServer((client) => {
    sockets.add(client);
    client.on("error", () => undefined);
    const readRequest = createMessageReader({ hasStart: true });
    client.on("data", (chunk) => {
      for (const { type, bytes } of readRequest(chunk)) {
        if (type === null) {
          client.write(WELCOME);
        } else if (type === "X") {
          client.end();
        } else {
          server.write(bytes);
          if (type === "Q" || type === "S") {
            inFlight.push(client);
          }
        }
      }
    });
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  cleanUp(() => {
    sockets.forEach((socket) => socket.destroy());
    listener.close();
  });
  return (listener.address() as AddressInfo).port;
}
