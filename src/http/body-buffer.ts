import { AppError } from "../errors.ts";
import type { Holding } from "./connection/memory-pool.ts";

/** Minimum buffer size, in bytes. */
const MIN_CAPACITY = 1024;

/** Factor by which a full buffer grows. */
const GROWTH = 2;

/**
 * A body as it comes in, in one growing buffer. A chunk costs several hundred bytes, however short it is, so chunks are not
 * kept; `holding` counts the capacity of the buffer, which is what the service really holds.
 */
export class BodyBuffer {
  readonly #limit: number;
  /** Maximum size of this body. */
  readonly #expected: number;
  readonly #holding: Pick<Holding, "resize">;
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;

  /** `declared`: null where the body is sent in chunks. All in bytes. */
  constructor(
    options: { limit: number; declared: number | null },
    holding: Pick<Holding, "resize">,
  ) {
    this.#limit = options.limit;
    this.#expected = options.declared ?? options.limit;
    this.#holding = holding;
  }

  /** Throws AppError `payload_too_large` at the chunk that crosses the limit, and what `holding` throws. */
  add(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (length > this.#limit) {
      throw new AppError("payload_too_large");
    }
    if (this.#length === 0) {
      // Most bodies come in one chunk: it is the buffer.
      this.#holding.resize(chunk.length);
      this.#buffer = chunk;
    } else {
      this.#reserve(length);
      chunk.copy(this.#buffer, this.#length);
    }
    this.#length = length;
  }

  /** All that was added, in order. */
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
