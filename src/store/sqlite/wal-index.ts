import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { endianness } from "node:os";
import { companionFile } from "./companion-file.ts";
import { type FileId, idOf } from "./file-id.ts";

/** What the index says of the log (https://sqlite.org/walformat.html, section 2.1). */
export interface WalIndexHeader {
  /** How many frames the log holds. */
  readonly frames: number;
  /** The database's pages as of the last commit; 0 when no transaction was committed since the index was made. */
  readonly pages: number;
  readonly pageSize: number;
  /** Whether the database file has all that the log holds, and so all of its pages. */
  readonly isCheckpointed: boolean;
  /** The log begins with the same ones. */
  readonly salts: Buffer;
}

/** The index of the write-ahead log (`-shm`) of a database that is open in this process. */
export interface WalIndex {
  readonly id: FileId;
  readonly frames: () => number;
  /** Null while another process is writing it. */
  readonly header: () => WalIndexHeader | null;
  /** Call it only once the last connection to the file is closed. */
  readonly close: () => void;
}

const IS_LITTLE_ENDIAN = endianness() === "LE";

/** The header is there twice: the two differ while it is being written. */
const HEADER_BYTES = 48;

const PAGE_SIZE_OFFSET = 14;
const FRAMES_OFFSET = 16;
const PAGES_OFFSET = 20;
const SALTS_OFFSET = 32;
const SALTS_BYTES = 8;

/** After the two headers: how many frames were checkpointed. */
const CHECKPOINTED_OFFSET = 96;
const ALL_BYTES = 100;

/** Opens the index of the log of `file`, which is there once that was written. Its numbers have this machine's byte order. */
export function openWalIndex(file: string): WalIndex {
  // To close any descriptor of it drops all locks that this process has on it, those of its connections too (POSIX, fcntl).
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
        // 65,536 does not fit: it is written as 1.
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
