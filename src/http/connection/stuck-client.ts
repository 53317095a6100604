import type { Socket } from "node:net";

const CR = 0x0d;
const LF = 0x0a;

/** Detects a client that makes no progress: it reads no responses or sends only empty lines. */
export class StuckClient {
  readonly #socket: Socket;
  /** Milliseconds of a monotonic clock. */
  readonly #now: () => number;
  /** Start of the current run of empty lines; null outside one. */
  #blankSince: number | null = null;
  #unsent = "";
  #unsentSince = 0;

  constructor(socket: Socket, now: () => number) {
    this.#socket = socket;
    this.#now = now;
  }

  /** A request has begun. */
  reset(): void {
    this.#blankSince = null;
  }

  /** Notes what came between requests. */
  note(bytes: Buffer): void {
    if (isBlank(bytes)) {
      this.#blankSince ??= this.#now();
    } else {
      this.#blankSince = null;
    }
  }

  /** Whether it has been stuck for `limitMs`. `isIdle`: no request of it is in progress. Call periodically. */
  isStuck(limitMs: number, isIdle: boolean): boolean {
    const now = this.#now();
    if (this.#blankSince !== null && isIdle) {
      return now - this.#blankSince >= limitMs;
    }
    const unsent = unsentMark(this.#socket);
    if (unsent !== this.#unsent) {
      this.#unsent = unsent;
      this.#unsentSince = now;
    }
    return unsent !== "" && now - this.#unsentSince >= limitMs;
  }
}

/** Whether there are only the empty lines that a parser skips between requests (RFC 9112 section 2.2). */
function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === CR || byte === LF);
}

/** Changes whenever the peer takes some of what is to be sent; empty when nothing is. */
function unsentMark(socket: Socket): string {
  const { writableLength, bytesWritten } = socket;
  if (writableLength === 0) {
    return "";
  }
  // Node's own timer of a socket asks the same: one large write makes progress long before it ends.
  const handle = (socket as { _handle?: { writeQueueSize?: number } | null })
    ._handle;
  return `${bytesWritten - writableLength}/${handle?.writeQueueSize ?? 0}`;
}
