import type { Socket } from "node:net";

const CR = 0x0d;
const LF = 0x0a;

/** Detects a client that makes no progress: it reads no responses, or sends only empty lines. */
export class StuckClient {
  readonly #socket: Socket;
  /** Milliseconds of a monotonic clock. */
  readonly #now: () => number;
  /** Start of the current run of empty lines; null outside one. */
  #emptyLinesSince: number | null = null;
  #unsent = "";
  #unsentSince = 0;

  constructor(socket: Socket, now: () => number) {
    this.#socket = socket;
    this.#now = now;
  }

  /** Ends the current run of empty lines, because a request has started. */
  reset(): void {
    this.#emptyLinesSince = null;
  }

  /** Checks input between two requests for empty lines. */
  checkInput(bytes: Buffer): void {
    if (hasOnlyNewlines(bytes)) {
      this.#emptyLinesSince ??= this.#now();
    } else {
      this.#emptyLinesSince = null;
    }
  }

  /** Returns whether there was no progress for `limitMs`. `isIdle`: no request is in progress. Call it periodically. */
  isStuck(limitMs: number, isIdle: boolean): boolean {
    const now = this.#now();
    if (this.#emptyLinesSince !== null && isIdle) {
      return now - this.#emptyLinesSince >= limitMs;
    }
    const unsent = unsentMark(this.#socket);
    if (unsent !== this.#unsent) {
      this.#unsent = unsent;
      this.#unsentSince = now;
    }
    return unsent !== "" && now - this.#unsentSince >= limitMs;
  }
}

/** Returns whether the bytes are empty lines, which a parser skips between requests (RFC 9112 section 2.2). */
function hasOnlyNewlines(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === CR || byte === LF);
}

/** Returns a value that changes whenever the peer reads some of the unsent output. Empty = there is none. */
function unsentMark(socket: Socket): string {
  const { writableLength, bytesWritten } = socket;
  if (writableLength === 0) {
    return "";
  }
  // A large write makes progress long before it ends. Node's socket timeout reads the same property to see that.
  const handle = (socket as { _handle?: { writeQueueSize?: number } | null })
    ._handle;
  return `${bytesWritten - writableLength}/${handle?.writeQueueSize ?? 0}`;
}
