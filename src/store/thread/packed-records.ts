import type { NewDelivery } from "../../domain/delivery.ts";
import type { EventRecord } from "../records.ts";

/*
 * The records of a message to another thread. One flat list contains all texts and numbers, and one buffer contains all
 * bytes. The buffer is transferred, not copied. With separate objects and buffers, the sending thread, which receives the
 * requests, would need several times as long.
 */

export interface PackedRecords {
  readonly fields: readonly Field[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

type Field = string | number | boolean | null | undefined;

/** Collects records and packs them into one message. */
export class RecordPacker {
  #fields: Field[] = [];
  #bytes: Uint8Array[] = [];
  #size = 0;

  get isEmpty(): boolean {
    return this.#fields.length === 0;
  }

  add(id: number, record: EventRecord): void {
    const { event, deliveries, claim, request } = record;
    this.#fields.push(
      id,
      event.source,
      event.id,
      event.type,
      event.receivedAt,
      event.contentType,
      event.headers,
      event.body.length,
      event.idSigned,
      claim.signedAt,
      claim.replayKey.length,
      claim.coversKey,
      claim.sharedWith.length,
      ...claim.sharedWith,
      request.requestId,
      request.scheme,
      request.ip,
      request.resource,
      request.keyId,
      request.skewSeconds,
      deliveries.length,
    );
    for (const { destination, orderKey } of deliveries) {
      this.#fields.push(destination, orderKey);
    }
    this.#bytes.push(event.body, claim.replayKey);
    this.#size += event.body.length + claim.replayKey.length;
  }

  /** Packs the records that were added since the last call. `bytes.buffer` contains nothing else and may be transferred. */
  pack(): PackedRecords {
    const bytes = new Uint8Array(Buffer.allocUnsafeSlow(this.#size).buffer);
    let at = 0;
    for (const part of this.#bytes) {
      bytes.set(part, at);
      at += part.length;
    }
    const fields = this.#fields;
    this.#fields = [];
    this.#bytes = [];
    this.#size = 0;
    return { fields, bytes };
  }
}

/** Returns the records of a message in the order in which they were added. Their bytes are views of the message's buffer. */
export function* unpackRecords({
  fields,
  bytes,
}: PackedRecords): Generator<{ id: number; record: EventRecord }> {
  let at = 0;
  let offset = 0;
  // A field is identified by its position: the order is that of `add`.
  const next = (): never => fields[at++] as never;
  const nextBytes = (length: number): Buffer => {
    const from = bytes.byteOffset + offset;
    offset += length;
    return Buffer.from(bytes.buffer, from, length);
  };
  while (at < fields.length) {
    const id: number = next();
    const source: string = next();
    const event = {
      source,
      id: next(),
      type: next(),
      receivedAt: next(),
      contentType: next(),
      headers: next(),
      body: nextBytes(next()),
      idSigned: next(),
    };
    const signedAt: number | null = next();
    const replayKey = nextBytes(next());
    const coversKey: boolean = next();
    const sharedWith: string[] = [];
    for (let count: number = next(); count > 0; count -= 1) {
      sharedWith.push(next());
    }
    const claim = { signedAt, replayKey, coversKey, sharedWith };
    const request = {
      source,
      requestId: next(),
      scheme: next(),
      ip: next(),
      resource: next(),
      keyId: next(),
      skewSeconds: next(),
    };
    const deliveries: NewDelivery[] = [];
    for (let count: number = next(); count > 0; count -= 1) {
      const destination: string = next();
      deliveries.push({ destination, orderKey: next() });
    }
    yield { id, record: { event, deliveries, claim, request } };
  }
}
