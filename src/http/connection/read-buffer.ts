import { Socket, type SocketConstructorOpts } from "node:net";

/** Maximum size of one read, in bytes: the same as Node's. */
const BUFFER_BYTES = 65_536;

/** All sockets can share one buffer, because a read is processed before the next one starts. */
const shared = Buffer.allocUnsafeSlow(BUFFER_BYTES);

/** The two properties where a socket stores its option `onread`; undefined if this version of Node stores it elsewhere. */
const { bufferKey, callbackKey } = findKeys();

interface ReadingSocket extends Socket {
  _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null;
  [key: symbol]: unknown;
}

/**
 * Makes a socket read into the shared buffer, and calls `onRead` with the bytes. `onRead` must copy what it keeps.
 *
 * By default Node allocates 64 KiB for each read. The socket option `onread` avoids this, but a server cannot set it for the
 * sockets it accepts. So this function sets the properties that the option would set. If that is not possible, the socket
 * emits `data` as usual.
 */
export function readIntoSharedBuffer(
  socket: Socket,
  onRead: (bytes: Buffer) => void,
): void {
  const reading = socket as ReadingSocket;
  if (
    bufferKey === undefined ||
    callbackKey === undefined ||
    reading._handle?.useUserBuffer === undefined
  ) {
    return;
  }
  reading[bufferKey] = shared;
  reading[callbackKey] = (length: number) => {
    onRead(shared.subarray(0, length));
    return true;
  };
  reading._handle.useUserBuffer(shared);
}

function findKeys(): {
  bufferKey: symbol | undefined;
  callbackKey: symbol | undefined;
} {
  const callback = (): boolean => true;
  const options = { onread: { buffer: shared, callback } };
  const socket = new Socket(options as SocketConstructorOpts);
  const keyOf = (value: unknown): symbol | undefined =>
    Object.getOwnPropertySymbols(socket).find(
      (key) => (socket as ReadingSocket)[key] === value,
    );
  return { bufferKey: keyOf(shared), callbackKey: keyOf(callback) };
}
