import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import {
  type Holding,
  type MemoryPool,
  resizeOrOverflow,
} from "./memory-pool.ts";
import { readIntoSharedBuffer } from "./read-buffer.ts";
import type { Task, Scheduler } from "./scheduler.ts";

/**
 * Maximum number of bytes parsed in one step. One-byte chunks and headers cost a microsecond or more each, so a step takes
 * a few milliseconds at most. A body with Content-Length is only copied, so its steps have no limit.
 */
const STEP_BYTES = 8192;

const HEAD_END = Buffer.from("\r\n\r\n");

export interface RequestInputDeps {
  readonly scheduler: Scheduler;
  /** Memory for unparsed input, shared by all connections. */
  readonly unparsed: MemoryPool;
}

/** What the input needs from its connection. The connection implements it, because closures would cost memory for each one. */
export interface InputOwner {
  /** The address of the peer. */
  readonly address: string;
  /** Called with all input, before it is parsed. */
  onInput(bytes: Buffer): void;
  /** Called when the memory pool has no room for the input. */
  readonly overflow: () => void;
  /** Called when the parser, or a listener that it called, has thrown. */
  fail(error: unknown): void;
  /** Whether the connection has room for one more request. */
  hasRoom(): boolean;
  /** Whether further input is discarded. */
  isDone(): boolean;
  /** Whether the input of other connections is processed first. */
  isLowPriority(): boolean;
  /** Returns the request that was parsed since the last call, or null. */
  takeParsedRequest(): IncomingMessage | null;
  /** Whether the body of a request in progress is incomplete. */
  isReadingBody(): boolean;
}

/**
 * Passes the bytes of a socket to Node's HTTP parser in small steps.
 *
 * Node by itself parses a whole read at once, and passes every request in it to the app. Here, a short read with at most one
 * request is parsed at once. Other input is buffered, and parsed in steps that the scheduler runs. A step ends where a head
 * ends, so it starts at most one request. Nothing more is read while input is buffered, or while the connection has no room
 * for another request.
 */
export class RequestInput {
  readonly #socket: Socket;
  readonly #owner: InputOwner;
  readonly #deps: RequestInputDeps;
  readonly #parse: (bytes: Buffer) => void;
  /** Input that is not parsed yet. */
  #rest: Buffer | null = null;
  #restHolding: Holding | null = null;
  /** Counts the incomplete head that the parser keeps. */
  #headHolding: Holding | null = null;
  /** Remaining bytes of a body with Content-Length; otherwise 0. */
  #bodyLeft = 0;
  #headBytes = 0;
  /** Whether Node wants more input. */
  #flowing = true;
  readonly #task: Task = { step: () => this.#turn(), spent: 0 };

  /** Takes over the socket. The HTTP server must already have its `data` listener on it. */
  constructor(socket: Socket, owner: InputOwner, deps: RequestInputDeps) {
    this.#socket = socket;
    this.#owner = owner;
    this.#deps = deps;
    // Node's HTTP server reads a socket only by its `data` listener, as with any Duplex.
    const [parse] = socket.listeners("data") as ((bytes: Buffer) => void)[];
    if (parse === undefined) {
      throw new Error("the HTTP server does not listen to its socket");
    }
    this.#parse = parse;
    socket.off("data", parse);
    // Node pauses the socket while a body is not read or a response is not sent. It must get no input until it resumes.
    socket.pause = () => {
      this.#flowing = false;
      return stopReading(socket);
    };
    socket.resume = () => {
      this.#flowing = true;
      this.resume();
      return socket;
    };
    socket.on("data", this.#onRead);
    readIntoSharedBuffer(socket, this.#onRead);
  }

  /** Parses buffered input, or reads more if none is buffered, as soon as the connection has room. */
  resume(): void {
    if (this.#rest !== null) {
      stopReading(this.#socket);
      if (this.#isReady()) {
        this.#deps.scheduler.add(this.#task);
      }
    } else if (!this.#owner.hasRoom()) {
      stopReading(this.#socket);
    } else if (this.#flowing) {
      Socket.prototype.resume.call(this.#socket);
    }
  }

  /** Discards buffered input and stops reading. */
  stop(): void {
    this.release();
    stopReading(this.#socket);
  }

  /** Releases the memory. */
  release(): void {
    this.#dropRest();
    this.#headHolding?.resize(0);
  }

  /** The size of the head that is being parsed, in bytes. */
  get headBytes(): number {
    return this.#headBytes;
  }

  readonly #onRead = (bytes: Buffer): void => {
    this.#owner.onInput(bytes);
    if (this.#owner.isDone()) {
      return;
    }
    if (
      this.#rest === null &&
      !this.#owner.isLowPriority() &&
      this.#isReady()
    ) {
      const head = this.#onlyHeadIn(bytes);
      if (head !== null) {
        this.#parseBytes(bytes, head);
        return;
      }
    }
    this.#buffer(bytes);
    this.resume();
  };

  /** Returns the position after the only head that ends in a short read; 0 = no head ends in it. Null = parse it in steps. */
  #onlyHeadIn(bytes: Buffer): number | null {
    if (bytes.length > STEP_BYTES) {
      return null;
    }
    const first = bytes.length > this.#bodyLeft ? bytes.indexOf(HEAD_END) : -1;
    if (first === -1) {
      return 0;
    }
    return bytes.includes(HEAD_END, first + 1) ? null : first + HEAD_END.length;
  }

  /** Parses the next part of the buffered input. Returns whether another step can follow. */
  #step(): boolean {
    if (this.#owner.isDone()) {
      this.#dropRest();
    }
    const rest = this.#rest;
    if (rest === null || !this.#isReady()) {
      return false;
    }
    const window = rest.subarray(0, this.#bodyLeft || STEP_BYTES);
    const end = this.#bodyLeft > 0 ? -1 : window.indexOf(HEAD_END);
    const head = end === -1 ? 0 : end + HEAD_END.length;
    const size = head || window.length;
    if (size < rest.length) {
      this.#rest = rest.subarray(size);
    } else {
      this.#dropRest();
    }
    this.#parseBytes(rest.subarray(0, size), head);
    return size < rest.length && this.#isReady();
  }

  #turn(): boolean {
    const more = this.#step();
    if (!more) {
      this.resume();
    }
    return more;
  }

  /** Passes bytes to the parser. `head`: the position after the head that ends in these bytes; 0 = no head ends in them. */
  #parseBytes(bytes: Buffer, head: number): void {
    this.#headBytes += bytes.length;
    try {
      this.#parse(bytes);
    } catch (error) {
      this.#owner.fail(error);
    }
    const parsed = this.#owner.takeParsedRequest();
    if (parsed !== null) {
      this.#headBytes = 0;
      const declared = Number(parsed.headers["content-length"] ?? 0);
      this.#bodyLeft = head > 0 ? declared - (bytes.length - head) : 0;
    } else {
      this.#bodyLeft -= bytes.length;
    }
    this.#bodyLeft = Math.max(0, this.#bodyLeft);
    if (this.#owner.isReadingBody() || this.#owner.isDone()) {
      this.#headBytes = 0;
    }
    if (this.#headBytes > 0 || this.#headHolding !== null) {
      this.#headHolding = this.#hold(this.#headHolding, this.#headBytes);
    }
  }

  #buffer(bytes: Buffer): void {
    const before = this.#rest;
    const held = before?.length ?? 0;
    // The next read overwrites the bytes, so they are copied. Not into Node's buffer pool, where a few bytes would keep a
    // whole slab in memory.
    this.#rest = Buffer.allocUnsafeSlow(held + bytes.length);
    before?.copy(this.#rest);
    bytes.copy(this.#rest, held);
    // The whole buffer stays in memory while any byte of it is unparsed.
    this.#restHolding = this.#hold(this.#restHolding, this.#rest.length);
  }

  #dropRest(): void {
    this.#rest = null;
    this.#restHolding?.resize(0);
  }

  #hold(before: Holding | null, bytes: number): Holding {
    const holding = before ?? this.#deps.unparsed.hold(this.#owner.address);
    resizeOrOverflow(holding, bytes, this.#owner.overflow);
    return holding;
  }

  /** Whether more input may be parsed. */
  #isReady(): boolean {
    return this.#flowing && this.#owner.hasRoom();
  }
}

function stopReading(socket: Socket): Socket {
  return Socket.prototype.pause.call(socket);
}
