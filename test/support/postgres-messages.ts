/* Reads the messages of the PostgreSQL protocol, version 3, out of a stream of bytes. */

/** One message with its exact bytes. `type` is null for the messages without a type, at the start of a connection. */
export interface Message {
  readonly type: string | null;
  readonly bytes: Buffer;
}

const LENGTH_BYTES = 4;
const SSL_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;

/**
 * Returns a function that takes the next bytes and returns the messages that are complete now. `hasStart`: the stream begins
 * with messages without a type, until the startup message.
 */
export function createMessageReader(options: { hasStart: boolean }) {
  let rest: Buffer = Buffer.alloc(0);
  let isStart = options.hasStart;
  return (chunk: Buffer): Message[] => {
    rest = Buffer.concat([rest, chunk]);
    const messages: Message[] = [];
    for (;;) {
      const typeBytes = isStart ? 0 : 1;
      if (rest.length < typeBytes + LENGTH_BYTES) {
        return messages;
      }
      const length = typeBytes + rest.readInt32BE(typeBytes);
      if (rest.length < length) {
        return messages;
      }
      const bytes = rest.subarray(0, length);
      rest = rest.subarray(length);
      const type = isStart ? null : String.fromCharCode(bytes[0]!);
      const message = { type, bytes };
      messages.push(message);
      isStart &&= asksForEncryption(message);
    }
  };
}

/** Returns whether the message asks for an encrypted connection. The answer to it is one byte. */
export function asksForEncryption({ type, bytes }: Message): boolean {
  const code = bytes.length === 8 ? bytes.readInt32BE(LENGTH_BYTES) : 0;
  return type === null && (code === SSL_REQUEST || code === GSS_REQUEST);
}

/** Returns the texts of a message, which end with a zero byte each. */
export const textsOf = ({ bytes }: Message): string[] =>
  bytes
    .subarray(1 + LENGTH_BYTES)
    .toString("latin1")
    .split("\0");
