import { Socket, type SocketConstructorOpts } from "node:net";

/** What one read takes at most, in bytes: as much as without it. */
const BUFFER_BYTES = 65_536;

/** All sockets share it: a read is over before the next one begins. */
const shared = Buffer.allocUnsafeSlow(BUFFER_BYTES);

/** The two properties in which a socket keeps its option `onread`; undefined if this version of Node has others. */
const { bufferKey, callbackKey } = findKeys();

interface ReadingSocket extends Socket {
  _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null;
  [key: symbol]: unknown;
}

/**
 * Reads a socket into the shared buffer, and passes what was read to `take`, which must copy what it keeps. By itself Node
 * allocates 64 KiB for each read. Its option `onread` avoids that, but a server cannot set it for the sockets it accepts, so
 * this sets what the option would. Where that is not possible nothing changes: the socket emits `data`.
 */
export function readIntoSharedBuffer(
  socket: Socket,
  take: (bytes: Buffer) => void,
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
    take(shared.subarray(0, length));
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
