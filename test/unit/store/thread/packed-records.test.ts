import { expect, it } from "@jest/globals";
import type { EventRecord } from "../../../../src/store/records.ts";
import {
  RecordPacker,
  unpackRecords,
} from "../../../../src/store/thread/packed-records.ts";

/** Every field has a different value, so that a swap of two fields shows. */
function record(n: number, deliveries: EventRecord["deliveries"]): EventRecord {
  return {
    event: {
      source: `source ${n}`,
      id: `id ${n} \0 \ud800`,
      type: `type ${n}`,
      receivedAt: 1000 + n,
      contentType: `content type ${n}`,
      headers: `headers ${n}`,
      body: Buffer.from(`body ${n}`),
      idSigned: n % 2 === 0,
    },
    deliveries,
    claim: {
      signedAt: n % 2 === 0 ? null : 2000 + n,
      replayKey: Buffer.from(`key of ${n}`),
      coversKey: n % 2 === 1,
      sharedWith: Array.from({ length: n - 1 }, (_, i) => `${n} with ${i}`),
    },
    request: {
      source: `source ${n}`,
      requestId: `request ${n}`,
      scheme: `scheme ${n}`,
      ip: `ip ${n}`,
      resource: `resource ${n}`,
      keyId: `key id ${n}`,
      skewSeconds: n % 2 === 0 ? undefined : 3000 + n,
    },
  };
}

it("packed records are unchanged after unpacking, also on another thread", () => {
  const records = [
    record(1, []),
    record(2, [
      { destination: "a", orderKey: null },
      { destination: "b", orderKey: "k" },
    ]),
    record(3, [{ destination: "c", orderKey: "" }]),
  ];
  const packer = new RecordPacker();
  for (let round = 0; round < 2; round += 1) {
    expect(packer.isEmpty).toBe(true);
    records.forEach((one, id) => {
      packer.add(id, one);
    });
    const packed = packer.pack();
    const sent = structuredClone(packed, { transfer: [packed.bytes.buffer] });
    expect([...unpackRecords(sent)]).toEqual(
      records.map((one, id) => ({ id, record: one })),
    );
  }
});
