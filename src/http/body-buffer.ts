import { AppError } from "../errors.ts";
import type { Holding } from "./connection/memory-pool.ts";

/** Minimum buffer size, in bytes. */
const MIN_CAPACITY = 1024;

/** Factor by which a full buffer grows. */
const GROWTH = 2;

/**
 * Collects the chunks of a body in one growing buffer. Chunks are not kept, because even a short one costs several hundred
 * bytes. `holding` counts the capacity of the buffer, which is the memory that the service actually uses.
 */
export class BodyBuffer {
  readonly #limit: number;
  /** Maximum size of this body. */
  readonly #expected: number;
  readonly #holding: Pick<Holding, "resize">;
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;

  /** `declared`: null for a chunked body. Sizes are in bytes. */
  constructor(
    options: { limit: number; declared: number | null },
    holding: Pick<Holding, "resize">,
  ) {
    this.#limit = options.limit;
    this.#expected = options.declared ?? options.limit;
    this.#holding = holding;
  }

  /** Adds a chunk. Throws AppError `payload_too_large` if the body exceeds the limit, and any error of `holding`. */
  add(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (length > this.#limit) {
      throw new AppError("payload_too_large");
    }
    if (this.#length === 0) {
      // Most bodies arrive in one chunk, which then serves as the buffer.
      this.#holding.resize(chunk.length);
      this.#buffer = chunk;
    } else {
      this.#reserve(length);
      chunk.copy(this.#buffer, this.#length);
    }
    this.#length = length;
  }

  /** Returns all chunks added so far, in order. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(length: number): void {
    const before = this.#buffer;
    if (length <= before.length) {
      return;
    }
    const grown = Math.max(before.length * GROWTH, MIN_CAPACITY);
    const capacity = Math.max(length, Math.min(grown, this.#expected));
    this.#holding.resize(capacity);
    this.#buffer = Buffer.allocUnsafeSlow(capacity);
    before.copy(this.#buffer, 0, 0, this.#length);
  }
}
