import { Socket } from "node:net";
import type { Holding, MemoryPool } from "./memory-pool.ts";
import type { Turns } from "./turns.ts";

/**
 * Bytes that are parsed in one step. One-byte chunks and headers cost a microsecond or more each, so a step takes a few
 * milliseconds at worst.
 */
const STEP_BYTES = 8192;

/** Each head ends with an empty line. */
const HEAD_END = Buffer.from("\r\n\r\n");

export interface PacedInputDeps {
  readonly turns: Turns;
  /** For what was read of all connections and is no request yet. */
  readonly unparsed: MemoryPool;
  /** There is no memory for what was read. */
  readonly onOverflow: () => void;
  /** The parser, or something that it called, threw. */
  readonly onError: (error: unknown) => void;
  /** Whether the connection has room for one more request. */
  readonly hasRoom: () => boolean;
  /** Whether what comes is dropped. */
  readonly isDone: () => boolean;
  /** Whether what comes can wait for what others send. */
  readonly canWait: () => boolean;
  /** Whether the parser is in a head, or between two requests, after it was given some bytes. */
  readonly isInHead: () => boolean;
}

/**
 * Stands between the bytes of a socket and Node's HTTP parser. Node would parse all of a read at once, and hand each request in it
 * to the app. Here a plain request is parsed as it comes; the rest is parsed in steps that end where a head ends, as far as
 * there is room for another request, and until then nothing more is read.
 */
export class PacedInput {
  readonly #socket: Socket;
  readonly #deps: PacedInputDeps;
  readonly #parse: (bytes: Buffer) => void;
  /** What was read and not parsed yet. */
  #rest: Buffer | null = null;
  #restHolding: Holding | null = null;
  /** The parser keeps a head that is incomplete. */
  #headHolding: Holding | null = null;
  /** Whether Node wants to read on. */
  #flowing = true;

  /** To be called once the HTTP server has begun to listen to the socket. */
  constructor(socket: Socket, deps: PacedInputDeps) {
    this.#socket = socket;
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
      this.goOn();
      return socket;
    };
    socket.on("data", this.#take);
  }

  /** Parses what is left if there is room for it; reads on if nothing is left. */
  goOn(): void {
    if (this.#rest !== null) {
      stopReading(this.#socket);
      if (this.#isReady()) {
        this.#deps.turns.add(this.#turn);
      }
    } else if (!this.#deps.hasRoom()) {
      stopReading(this.#socket);
    } else if (this.#flowing) {
      Socket.prototype.resume.call(this.#socket);
    }
  }

  /** Gives up what is left, and reads nothing more. */
  stop(): void {
    this.release();
    stopReading(this.#socket);
  }

  /** Gives back the memory that it holds. */
  release(): void {
    this.#dropRest();
    this.#headHolding?.release();
  }

  readonly #take = (bytes: Buffer): void => {
    if (this.#deps.isDone()) {
      return;
    }
    if (
      this.#rest === null &&
      bytes.length <= STEP_BYTES &&
      !hasTwoHeads(bytes) &&
      !this.#deps.canWait() &&
      this.#isReady()
    ) {
      this.#feed(bytes);
      return;
    }
    this.#keep(bytes);
    while (this.#deps.turns.hasTime() && this.#step()) {
      // A step at a time.
    }
    this.goOn();
  };

  /** Parses the next piece. False when there is none, or no room. */
  #step(): boolean {
    if (this.#deps.isDone()) {
      this.#dropRest();
    }
    const rest = this.#rest;
    if (rest === null || !this.#isReady()) {
      return false;
    }
    const window = rest.subarray(0, STEP_BYTES);
    const head = window.indexOf(HEAD_END);
    const size = head === -1 ? window.length : head + HEAD_END.length;
    if (size < rest.length) {
      this.#rest = rest.subarray(size);
    } else {
      this.#dropRest();
    }
    this.#feed(rest.subarray(0, size));
    return size < rest.length && this.#isReady();
  }

  readonly #turn = (): boolean => {
    const more = this.#step();
    if (!more) {
      this.goOn();
    }
    return more;
  };

  #feed(bytes: Buffer): void {
    try {
      this.#parse(bytes);
    } catch (error) {
      this.#deps.onError(error);
    }
    if (this.#deps.isInHead() && !this.#deps.isDone()) {
      this.#headHolding = this.#hold(this.#headHolding, bytes.length);
    } else {
      this.#headHolding?.release();
    }
  }

  #keep(bytes: Buffer): void {
    // As long as any of it is left, all of it is held.
    this.#restHolding = this.#hold(this.#restHolding, bytes.length);
    this.#rest =
      this.#rest === null ? bytes : Buffer.concat([this.#rest, bytes]);
  }

  #dropRest(): void {
    this.#rest = null;
    this.#restHolding?.release();
  }

  #hold(before: Holding | null, bytes: number): Holding {
    const holding = before ?? this.#deps.unparsed.hold();
    holding.onEvict = this.#deps.onOverflow;
    try {
      holding.add(bytes);
    } catch {
      this.#deps.onOverflow();
    }
    return holding;
  }

  /** Whether the parser may be given more. */
  #isReady(): boolean {
    return this.#flowing && this.#deps.hasRoom();
  }
}

function stopReading(socket: Socket): Socket {
  return Socket.prototype.pause.call(socket);
}

/** Whether more than one request may begin here. */
function hasTwoHeads(bytes: Buffer): boolean {
  const first = bytes.indexOf(HEAD_END);
  return first !== -1 && bytes.includes(HEAD_END, first + 1);
}
