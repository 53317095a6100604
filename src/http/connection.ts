import type { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { canonicalAddress } from "../core/address.ts";
import type { AppError } from "../errors.ts";
import type { Holding, MemoryPool } from "./memory-pool.ts";
import type { Turns } from "./turns.ts";

/** Requests of one connection that may be inside the app at once. */
const MAX_INSIDE = 16;

/**
 * Bytes that are parsed in one step. One-byte chunks and headers cost a microsecond or more each, so a step takes a few
 * milliseconds at worst.
 */
const STEP_BYTES = 8192;

const HEAD_END = Buffer.from("\r\n\r\n");

const CONNECTION = Symbol("the connection of a socket");

interface GuardedSocket extends Socket {
  [CONNECTION]?: Connection;
}

export type HandleRequest = (req: IncomingMessage, res: ServerResponse) => void;

export interface CurrentRequest {
  readonly req: IncomingMessage;
  /** Null while nobody reads its body. */
  readonly breakOff: ((fault: AppError) => void) | null;
}

export interface ConnectionDeps {
  readonly turns: Turns;
  /** For what was read of all connections and is no request yet. */
  readonly unparsed: MemoryPool;
  readonly handle: HandleRequest;
  /** A connection was ended since there was no memory for what it sent. */
  readonly onOverflow: () => void;
  /** Something threw that should not have: it has been contained to this connection. */
  readonly onError: (error: unknown) => void;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

/** The connection of a socket that the server has accepted. */
export function connectionOf(socket: Socket): Connection {
  const connection = (socket as GuardedSocket)[CONNECTION];
  if (connection === undefined) {
    throw new Error("a socket that the server did not accept");
  }
  return connection;
}

/**
 * One connection: stands between its bytes and Node's HTTP parser, and between the parser and the app, so that it can neither
 * starve the others nor end the process.
 *
 * Node hands every request of a read to the app at once, however many there are, also after an answer that closes the
 * connection. Here at most 16 are inside; what else was read waits as bytes, and nothing more is read meanwhile.
 */
export class Connection {
  /** Taken when the connection came: after a reset the socket has none. Null when the peer had gone already. */
  readonly peer: string | null;
  /** The newest request in the app: a fault of the connection is its own as long as its body comes. */
  current: CurrentRequest | null = null;

  readonly #socket: Socket;
  readonly #deps: ConnectionDeps;
  readonly #parse: (bytes: Buffer) => void;
  /** What was read and not parsed yet. */
  #rest: Buffer | null = null;
  #restHolding: Holding | null = null;
  /** The parser keeps a head that is incomplete. */
  #headHolding: Holding | null = null;
  /** How many the parser has found so far. */
  #requests = 0;
  /** What was parsed and is not in the app yet: the requests of one step beyond the limit. */
  readonly #queued: [IncomingMessage, ServerResponse][] = [];
  #inside = 0;
  /** The newest request that has been in the app. */
  #newest: IncomingMessage | null = null;
  /** Whether Node wants to read on. */
  #flowing = true;
  /** An answer has said that it is the last. */
  #closing = false;
  /** Nothing more is parsed: what came is no HTTP. */
  #failed = false;
  /** Whether its last request was refused: what it sends can wait for what others send. */
  #refused = false;
  /** Goes out after the answers that are still due, and ends the connection. */
  #farewell: string | null = null;
  /** Since when nothing but blank lines has come. */
  #blankSince: number | null = null;
  #unsent = { mark: "", since: 0 };

  constructor(socket: Socket, deps: ConnectionDeps) {
    this.#socket = socket;
    this.#deps = deps;
    const { remoteAddress } = socket;
    this.peer =
      remoteAddress === undefined ? null : canonicalAddress(remoteAddress);
    (socket as GuardedSocket)[CONNECTION] = this;

    // Node's http server reads a socket by its `data` listener alone, as it does with any Duplex that it is given.
    const [parse] = socket.listeners("data") as ((bytes: Buffer) => void)[];
    if (parse === undefined) {
      throw new Error("the http server does not listen to its socket");
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
      this.#goOn();
      return socket;
    };
    socket.on("data", this.#take);
  }

  get address(): string {
    return this.peer ?? "unknown";
  }

  /** Hands a request to the app, now or when there is room; one that comes after the last answer is ignored. */
  enter(req: IncomingMessage, res: ServerResponse): void {
    this.#requests += 1;
    if (this.#closing || !this.#socket.writable) {
      return;
    }
    if (this.#inside >= MAX_INSIDE || this.#queued.length > 0) {
      this.#queued.push([req, res]);
    } else {
      this.#dispatch(req, res);
    }
  }

  /** An answer that says `Connection: close` has begun: no further request is processed. */
  close(): void {
    this.#closing = true;
    this.#queued.length = 0;
  }

  /** Notes how its newest answer turned out. */
  noteAnswer(refused: boolean): void {
    this.#refused = refused;
  }

  /** Nothing more is parsed. The answers that are due go out, then `farewell`, then the connection ends. */
  endAfter(farewell: string): void {
    this.#failed = true;
    this.#dropRest();
    stopReading(this.#socket);
    if (this.#queued.at(-1)?.[0].complete === false) {
      // The one that broke off.
      this.#queued.pop();
    }
    this.#farewell ??= farewell;
    this.#sayFarewell();
  }

  /** Whether what came could not be read on as HTTP. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Ends this connection, and it alone, for what nobody expected. */
  fail(error: unknown): void {
    this.#socket.destroy();
    this.#deps.onError(error);
  }

  /** To be called once its socket is closed. */
  release(): void {
    this.#dropRest();
    this.#headHolding?.release();
  }

  /** Whether its client has not read, or sent nothing but blank lines, for `limitMs`. Asked every now and then. */
  isStuck(limitMs: number): boolean {
    const now = this.#deps.now();
    if (this.#blankSince !== null && this.#inside === 0) {
      return now - this.#blankSince >= limitMs;
    }
    const mark = unsentMark(this.#socket);
    if (mark !== this.#unsent.mark) {
      this.#unsent = { mark, since: now };
    }
    return mark !== "" && now - this.#unsent.since >= limitMs;
  }

  readonly #take = (bytes: Buffer): void => {
    this.#noteBlank(bytes);
    if (this.#isDone()) {
      return;
    }
    if (
      this.#rest === null &&
      bytes.length <= STEP_BYTES &&
      !hasTwoHeads(bytes) &&
      !this.#refused &&
      this.#isReady()
    ) {
      this.#feed(bytes);
      return;
    }
    this.#keep(bytes);
    while (this.#deps.turns.hasTime() && this.#step()) {
      // A step at a time.
    }
    this.#goOn();
  };

  /** Parses the next piece of what was read. False when there is none, or it has to wait for an answer. */
  readonly #step = (): boolean => {
    if (this.#isDone()) {
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
  };

  /** The same in a turn of its own, after which reading goes on when everything was parsed. */
  readonly #turn = (): boolean => {
    const more = this.#step();
    if (!more) {
      this.#goOn();
    }
    return more;
  };

  #feed(bytes: Buffer): void {
    const before = this.#requests;
    try {
      this.#parse(bytes);
    } catch (error) {
      this.fail(error);
    }
    const isHead =
      this.#requests === before && this.#newest?.complete !== false;
    if (isHead && !this.#isDone()) {
      this.#headHolding = this.#hold(this.#headHolding, bytes.length);
    } else {
      this.#headHolding?.release();
    }
  }

  /** Counts memory, in a holding that is made when it is needed; without room for it the connection is ended. */
  #hold(before: Holding | null, bytes: number): Holding {
    const holding = before ?? this.#deps.unparsed.hold();
    const overflow = (): void => {
      this.#socket.destroy();
      this.#deps.onOverflow();
    };
    holding.onEvict = overflow;
    try {
      holding.add(bytes);
    } catch {
      overflow();
    }
    return holding;
  }

  #keep(bytes: Buffer): void {
    // As long as any of it is left all of it is held.
    this.#restHolding = this.#hold(this.#restHolding, bytes.length);
    this.#rest =
      this.#rest === null ? bytes : Buffer.concat([this.#rest, bytes]);
  }

  #dropRest(): void {
    this.#rest = null;
    this.#restHolding?.release();
  }

  /** Parses what is left when there is room for it, and reads on when nothing is. */
  #goOn(): void {
    if (this.#rest !== null || this.#queued.length > 0) {
      stopReading(this.#socket);
      if (this.#rest !== null && this.#isReady()) {
        this.#deps.turns.add(this.#turn);
      }
    } else if (this.#flowing && !this.#failed) {
      Socket.prototype.resume.call(this.#socket);
    }
  }

  #dispatch(req: IncomingMessage, res: ServerResponse): void {
    this.#inside += 1;
    this.#newest = req;
    this.#blankSince = null;
    res.once("close", this.#leave);
    try {
      this.#deps.handle(req, res);
    } catch (error) {
      this.fail(error);
    }
  }

  readonly #leave = (): void => {
    this.#inside -= 1;
    const [next] = this.#queued.splice(0, 1);
    if (next !== undefined && this.#socket.writable) {
      this.#dispatch(...next);
    }
    this.#sayFarewell();
    if (next !== undefined || this.#rest !== null) {
      this.#goOn();
    }
  };

  #sayFarewell(): void {
    const socket = this.#socket;
    if (this.#farewell === null || this.#inside > 0) {
      return;
    }
    const last = this.#closing ? "" : this.#farewell;
    this.#closing = true;
    socket.end(last, () => socket.destroy());
  }

  /** Whether the parser may be given more. */
  #isReady(): boolean {
    return (
      this.#inside < MAX_INSIDE && this.#queued.length === 0 && this.#flowing
    );
  }

  /** Whether whatever comes is dropped: after the last answer only the rest of its own request is read. */
  #isDone(): boolean {
    return (
      this.#failed ||
      !this.#socket.writable ||
      (this.#closing && this.#newest?.complete !== false)
    );
  }

  #noteBlank(bytes: Buffer): void {
    if (isBlank(bytes)) {
      this.#blankSince ??= this.#deps.now();
    } else {
      this.#blankSince = null;
    }
  }
}

function stopReading(socket: Socket): Socket {
  return Socket.prototype.pause.call(socket);
}

/** Whether more than one request may begin here: each has a head, and each head ends in a blank line. */
function hasTwoHeads(bytes: Buffer): boolean {
  const first = bytes.indexOf(HEAD_END);
  return first !== -1 && bytes.includes(HEAD_END, first + 1);
}

const CR = 0x0d;
const LF = 0x0a;

/** Whether there is nothing but line ends, which a parser skips between requests (RFC 9112 section 2.2). */
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
