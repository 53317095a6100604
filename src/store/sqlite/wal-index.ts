import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { endianness } from "node:os";
import { companionFile } from "./companion-file.ts";
import { type FileId, idOf } from "./file-id.ts";

/** The header of the index of the log (https://sqlite.org/walformat.html, section 2.1). */
export interface WalIndexHeader {
  /** The number of frames in the log. */
  readonly frames: number;
  /** The number of database pages after the last commit; 0 = no commit since the index was created. */
  readonly pages: number;
  readonly pageSize: number;
  /** Whether the database file contains everything in the log, and so all pages. */
  readonly isCheckpointed: boolean;
  /** The same salts as at the beginning of the log. */
  readonly salts: Buffer;
}

/** The index of the write-ahead log (`-shm`) of a database that is open in this process. */
export interface WalIndex {
  readonly id: FileId;
  readonly frames: () => number;
  /** Returns the header; null = another process is writing it. */
  readonly header: () => WalIndexHeader | null;
  /** Closes the index. The caller must close the last connection to the database first. */
  readonly close: () => void;
}

const IS_LITTLE_ENDIAN = endianness() === "LE";

/** The size of the header. The index has two copies of it, which differ while it is being written. */
const HEADER_BYTES = 48;

const PAGE_SIZE_OFFSET = 14;
const FRAMES_OFFSET = 16;
const PAGES_OFFSET = 20;
const SALTS_OFFSET = 32;
const SALTS_BYTES = 8;

/** The position of the number of checkpointed frames, after the two headers. */
const CHECKPOINTED_OFFSET = 96;
const ALL_BYTES = 100;

/**
 * Opens the index of the log of `file`, which exists after the first write. Its numbers are in this machine's byte order.
 */
export function openWalIndex(file: string): WalIndex {
  // Closing any descriptor of the index releases all locks of this process on it, including the locks of its connections
  // (POSIX, fcntl).
  let index: number | null = openSync(companionFile(file, "-shm"), "r");
  const bytes = Buffer.alloc(ALL_BYTES);
  const first = bytes.subarray(0, HEADER_BYTES);
  const second = bytes.subarray(HEADER_BYTES, 2 * HEADER_BYTES);
  const numbers = new DataView(bytes.buffer, bytes.byteOffset);

  function read(): void {
    if (index !== null) {
      readSync(index, bytes, 0, bytes.length, 0);
    }
  }

  const number = (offset: number): number =>
    numbers.getUint32(offset, IS_LITTLE_ENDIAN);

  return {
    id: idOf(fstatSync(index, { bigint: true })),
    frames() {
      read();
      return number(FRAMES_OFFSET);
    },
    header() {
      read();
      if (!first.equals(second)) {
        return null;
      }
      const size = numbers.getUint16(PAGE_SIZE_OFFSET, IS_LITTLE_ENDIAN);
      return {
        frames: number(FRAMES_OFFSET),
        pages: number(PAGES_OFFSET),
        // 65,536 does not fit into 16 bits and is written as 1.
        pageSize: size === 1 ? 65_536 : size,
        isCheckpointed: number(FRAMES_OFFSET) === number(CHECKPOINTED_OFFSET),
        salts: Buffer.from(
          bytes.subarray(SALTS_OFFSET, SALTS_OFFSET + SALTS_BYTES),
        ),
      };
    },
    close() {
      if (index !== null) {
        closeSync(index);
        index = null;
      }
    },
  };
}
