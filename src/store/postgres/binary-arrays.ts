/*
 * Arrays in PostgreSQL's binary format (its functions array_recv, textrecv, bytearecv, int8recv, int4recv, boolrecv). The
 * driver sends Buffers as binary parameters. An array as text would be twice as large, and several times slower to write and
 * to read, above all with bodies in it. A statement casts such a parameter to its type (`$1::bytea[]`).
 */

const TYPE = { boolean: 16, bytes: 17, int8: 20, int4: 23, text: 25 } as const;

/** Dimensions, whether a null is in it, type, length of the only dimension, its lower bound. */
const HEADER_BYTES = 20;

/** The length of a null. */
const NULL = -1;

export function textArray(values: readonly string[]): Buffer {
  let bytes = 0;
  for (const value of values) {
    bytes += Buffer.byteLength(value);
  }
  return encode(TYPE.text, values, bytes, (value, array, at) => {
    const length = array.write(value, at + 4);
    return array.writeInt32BE(length, at) + length;
  });
}

export function bytesArray(values: readonly (Uint8Array | null)[]): Buffer {
  let bytes = 0;
  let hasNull = false;
  for (const value of values) {
    bytes += value?.length ?? 0;
    hasNull ||= value === null;
  }
  const encoded = encode(TYPE.bytes, values, bytes, (value, array, at) => {
    const next = array.writeInt32BE(value?.length ?? NULL, at);
    if (value === null) {
      return next;
    }
    array.set(value, next);
    return next + value.length;
  });
  encoded.writeInt32BE(hasNull ? 1 : 0, 4);
  return encoded;
}

/** The numbers are integers that a number can hold exactly. */
export function int8Array(values: readonly number[]): Buffer {
  return encode(TYPE.int8, values, values.length * 8, (value, array, at) => {
    array.writeInt32BE(8, at);
    array.writeInt32BE(Math.floor(value / 2 ** 32), at + 4);
    return array.writeUInt32BE(value >>> 0, at + 8);
  });
}

export function int4Array(values: readonly number[]): Buffer {
  return encode(TYPE.int4, values, values.length * 4, (value, array, at) =>
    array.writeInt32BE(value, array.writeInt32BE(4, at)),
  );
}

export function booleanArray(values: readonly boolean[]): Buffer {
  return encode(TYPE.boolean, values, values.length, (value, array, at) =>
    array.writeUInt8(value ? 1 : 0, array.writeInt32BE(1, at)),
  );
}

/** `bytes`: of all values together. `write` returns the place after the value. */
function encode<Value>(
  type: number,
  values: readonly Value[],
  bytes: number,
  write: (value: Value, array: Buffer, at: number) => number,
): Buffer {
  const array = Buffer.allocUnsafe(HEADER_BYTES + 4 * values.length + bytes);
  array.writeInt32BE(1, 0);
  array.writeInt32BE(0, 4);
  array.writeInt32BE(type, 8);
  array.writeInt32BE(values.length, 12);
  array.writeInt32BE(1, 16);
  let at = HEADER_BYTES;
  for (const value of values) {
    at = write(value, array, at);
  }
  return array;
}
