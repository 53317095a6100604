import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import {
  type Holding,
  type MemoryPool,
  resizeOrGiveUp,
} from "./memory-pool.ts";
import { readIntoSharedBuffer } from "./read-buffer.ts";
import type { Task, Scheduler } from "./scheduler.ts";

/**
 * Bytes that are parsed in one step, but for those of a body of known length, which are only copied. One-byte chunks and
 * headers cost a microsecond or more each, so a step takes a few milliseconds at worst.
 */
const STEP_BYTES = 8192;

const HEAD_END = Buffer.from("\r\n\r\n");

export interface RequestInputDeps {
  readonly scheduler: Scheduler;
  /** Memory for unparsed input, shared by all connections. */
  readonly unparsed: MemoryPool;
}

/** What the input needs of its connection. An object, because a closure for each of these would be made for each connection. */
export interface InputOwner {
  /** The address of the peer. */
  readonly address: string;
  /** Called with input before it is parsed. */
  onInput(bytes: Buffer): void;
  /** Called when there is no memory for the input. */
  readonly overflow: () => void;
  /** The parser, or something that it called, threw. */
  fail(error: unknown): void;
  /** Whether the connection has room for one more request. */
  hasRoom(): boolean;
  /** Whether further input is discarded. */
  isDone(): boolean;
  /** Whether input of this connection is processed after that of others. */
  isLowPriority(): boolean;
  /** The request parsed since the last call. */
  takeParsedRequest(): IncomingMessage | null;
  /** Whether the body of a request in progress is incomplete. */
  isReadingBody(): boolean;
}

/**
 * Stands between the bytes of a socket and Node's HTTP parser. Node would parse all of a read at once, and hand each request in it
 * to the app. Here a plain request is parsed as it comes; the rest is parsed in steps that end where a head ends, as far as
 * there is room for another request, and until then nothing more is read.
 */
export class RequestInput {
  readonly #socket: Socket;
  readonly #owner: InputOwner;
  readonly #deps: RequestInputDeps;
  readonly #parse: (bytes: Buffer) => void;
  /** Input that is not parsed yet. */
  #rest: Buffer | null = null;
  #restHolding: Holding | null = null;
  /** The parser keeps a head that is incomplete. */
  #headHolding: Holding | null = null;
  /** Remaining bytes of a body with Content-Length; otherwise 0. */
  #bodyLeft = 0;
  #headBytes = 0;
  /** Whether Node wants to read on. */
  #flowing = true;
  readonly #task: Task = { step: () => this.#turn(), spent: 0 };

  /** To be called once the HTTP server has begun to listen to the socket. */
  constructor(socket: Socket, owner: InputOwner, deps: RequestInputDeps) {
    this.#socket = socket;
    this.#owner = owner;
    this.#deps = deps;
    // Node's HTTP server takes the bytes of a socket by a `data` listener alone, as it does with any Duplex.
    const [parse] = socket.listeners("data") as ((bytes: Buffer) => void)[];
    if (parse === undefined) {
      throw new Error("the HTTP server does not listen to its socket");
    }
    this.#parse = parse;
    socket.off("data", parse);
    // Node pauses a socket when a body or an answer is not taken, and must be given nothing before it resumes.
    socket.pause = () => {
      this.#flowing = false;
      return stopReading(socket);
    };
    socket.resume = () => {
      this.#flowing = true;
      this.resume();
      return socket;
    };
    socket.on("data", this.#take);
    readIntoSharedBuffer(socket, this.#take);
  }

  /** Parses buffered input if a slot is free; resumes reading if none is buffered. */
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

  /** Gives back the memory that it holds. */
  release(): void {
    this.#dropRest();
    this.#headHolding?.resize(0);
  }

  /** Bytes parsed since the previous request: the size of the head of the one that is parsed now. */
  get headBytes(): number {
    return this.#headBytes;
  }

  readonly #take = (bytes: Buffer): void => {
    this.#owner.onInput(bytes);
    if (this.#owner.isDone()) {
      return;
    }
    if (
      this.#rest === null &&
      !this.#owner.isLowPriority() &&
      this.#isReady()
    ) {
      const head = this.#plainHead(bytes);
      if (head !== null) {
        this.#feed(bytes, head);
        return;
      }
    }
    this.#keep(bytes);
    this.resume();
  };

  /** End offset of the only head in a short read, 0 if no head ends in it; null if the bytes must be parsed in steps. */
  #plainHead(bytes: Buffer): number | null {
    if (bytes.length > STEP_BYTES) {
      return null;
    }
    const first = bytes.length > this.#bodyLeft ? bytes.indexOf(HEAD_END) : -1;
    if (first === -1) {
      return 0;
    }
    return bytes.includes(HEAD_END, first + 1) ? null : first + HEAD_END.length;
  }

  /** Parses the next piece. False when there is none, or no room. */
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
    this.#feed(rest.subarray(0, size), head);
    return size < rest.length && this.#isReady();
  }

  #turn(): boolean {
    const more = this.#step();
    if (!more) {
      this.resume();
    }
    return more;
  }

  /** `head`: where the head in these bytes ends, 0 when none is known to end. */
  #feed(bytes: Buffer, head: number): void {
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

  #keep(bytes: Buffer): void {
    const before = this.#rest;
    const held = before?.length ?? 0;
    // Copied, since the next read overwrites the bytes; not into Node's pool, of which a short rest would hold a slab.
    this.#rest = Buffer.allocUnsafeSlow(held + bytes.length);
    before?.copy(this.#rest);
    bytes.copy(this.#rest, held);
    // As long as any of it is left, all of it is held.
    this.#restHolding = this.#hold(this.#restHolding, this.#rest.length);
  }

  #dropRest(): void {
    this.#rest = null;
    this.#restHolding?.resize(0);
  }

  #hold(before: Holding | null, bytes: number): Holding {
    const holding = before ?? this.#deps.unparsed.hold(this.#owner.address);
    resizeOrGiveUp(holding, bytes, this.#owner.overflow);
    return holding;
  }

  /** Whether the parser may be given more. */
  #isReady(): boolean {
    return this.#flowing && this.#owner.hasRoom();
  }
}

function stopReading(socket: Socket): Socket {
  return Socket.prototype.pause.call(socket);
}
