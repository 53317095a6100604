import { connect, type Socket } from "node:net";
import { cleanUp } from "./cleanup.ts";

/** The result of a request. `status` is null when the connection ended without a response. */
export interface Sent {
  readonly status: number | null;
  /** The time since the request was due, including the wait for a free connection. */
  readonly ms: number;
}

interface Waiting {
  readonly bytes: Buffer;
  readonly dueAt: number;
  readonly resolve: (sent: Sent) => void;
}

const HEAD_END = "\r\n\r\n";

/** Returns the status and the length of the first response in `text`; null while it is incomplete. */
function firstResponse(text: string) {
  const head = text.indexOf(HEAD_END);
  if (head === -1) {
    return null;
  }
  const lines = text.slice(0, head);
  const length =
    head +
    HEAD_END.length +
    Number(/^content-length: (\d+)/im.exec(lines)?.[1] ?? 0);
  return text.length < length
    ? null
    : {
        status: Number(lines.slice(9, 12)),
        length,
        closes: /^connection: close/im.test(lines),
      };
}

/**
 * Sends requests over open connections, one at a time on each. It can send thousands of requests a second on the machine
 * of the tested service.
 */
export function createPacedSender(options: {
  port: number;
  connections: number;
  localAddress: string;
}) {
  const { port, connections, localAddress } = options;
  const waiting: Waiting[] = [];
  const idle: (() => void)[] = [];
  const sockets = new Set<Socket>();
  let isOver = false;

  function open(): void {
    if (isOver) {
      return;
    }
    const socket = connect({ port, host: "127.0.0.1", localAddress });
    socket.setNoDelay(true);
    sockets.add(socket);
    let current: Waiting | null = null;
    let text = "";
    function end(status: number | null): void {
      const ended = current;
      current = null;
      ended?.resolve({ status, ms: performance.now() - ended.dueAt });
    }
    function next(): void {
      current = waiting.shift() ?? null;
      if (current === null) {
        idle.push(next);
      } else {
        socket.write(current.bytes);
      }
    }
    socket.on("connect", next);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const response = firstResponse(text);
      if (response !== null) {
        text = text.slice(response.length);
        end(response.status);
        if (response.closes) {
          socket.destroy();
        } else {
          next();
        }
      }
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      sockets.delete(socket);
      const at = idle.indexOf(next);
      if (at !== -1) {
        idle.splice(at, 1);
      }
      end(null);
      setImmediate(open);
    });
  }
  for (let n = 0; n < connections; n += 1) {
    open();
  }
  function close(): void {
    isOver = true;
    sockets.forEach((socket) => socket.destroy());
  }
  cleanUp(close);

  return {
    /** `dueAt` is a time of `performance.now()`. */
    send: (bytes: Buffer, dueAt = performance.now()): Promise<Sent> =>
      new Promise((resolve) => {
        waiting.push({ bytes, dueAt, resolve });
        idle.pop()?.();
      }),
    close,
  };
}

export type PacedSender = ReturnType<typeof createPacedSender>;
