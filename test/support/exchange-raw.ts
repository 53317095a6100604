import { connect } from "node:net";

/** Returns what a raw connection received until the other side closed it, or until `enough` returns true. */
export function exchangeRaw(
  port: number,
  bytes: string | Buffer | readonly (string | Buffer)[],
  enough: (text: string) => boolean = () => false,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    const end = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(60_000, () => {
      socket.destroy();
      reject(new Error(`no end of the response; received: ${text}`));
    });
    socket.on("connect", () => {
      const parts =
        typeof bytes === "string" || Buffer.isBuffer(bytes) ? [bytes] : bytes;
      for (const part of parts) {
        socket.write(part);
      }
    });
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (enough(text)) {
        end();
      }
    });
    socket.on("end", end);
    socket.on("close", end);
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNRESET" || error.code === "EPIPE") {
        end();
      } else {
        reject(error);
      }
    });
  });
}
