import type { Delivery, Order, Sender } from "./sender.ts";

/** Returns what arrives, or null if the sender has nothing of the kind to tamper with. */
export type Tampering = (
  sender: Sender,
  order: Order,
) => Promise<Delivery | null>;

/** Changes one digit or letter near the end, in any encoding. */
function changeEnd(text: string): string {
  const at = Math.max(text.length - 5, 0);
  const changed = text[at] === "0" ? "1" : "0";
  return `${text.slice(0, at)}${changed}${text.slice(at + 1)}`;
}

function withHeaders(
  delivery: Delivery,
  names: readonly string[],
  change: (value: string) => string | null,
): Delivery {
  const headers = Object.entries(delivery.headers).flatMap(([name, value]) => {
    const changed = names.includes(name) ? change(value) : value;
    return changed === null ? [] : [[name, changed] as const];
  });
  return { ...delivery, headers: Object.fromEntries(headers) };
}

const onSignature =
  (change: (value: string) => string | null): Tampering =>
  async (sender, order) =>
    sender.signature.length === 0
      ? null
      : withHeaders(await sender.deliver(order), sender.signature, change);

const onBody =
  (change: (text: string) => string | null): Tampering =>
  async (sender, order) => {
    if (sender.isBodyUnsigned) {
      return null;
    }
    const delivery = await sender.deliver(order);
    const changed = change(delivery.body.toString());
    return changed === null
      ? null
      : { ...delivery, body: Buffer.from(changed) };
  };

/** The time in a header of pairs, otherwise the whole value. */
const TIME = /(?<=^|\bts?=)[\dTZ:.+-]+/;

const onTime =
  (change: (time: string) => string): Tampering =>
  async (sender, order) =>
    sender.time === undefined
      ? null
      : withHeaders(
          await sender.deliver(order),
          [sender.time],
          (value) => value.replace(TIME, change) || null,
        );

const onSignedId =
  (change: (id: string) => string | null): Tampering =>
  async (sender, order) =>
    sender.signedId === undefined
      ? null
      : withHeaders(await sender.deliver(order), [sender.signedId], change);

/** Signed at a time outside of the window by some seconds. */
const signedAt =
  (seconds: (windowSeconds: number) => number): Tampering =>
  async (sender, order) =>
    sender.windowSeconds === undefined
      ? null
      : sender.deliver({
          ...order,
          at: order.at + seconds(sender.windowSeconds) * 1000,
        });

function reformat(text: string): string | null {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}

/** Changes a member of a body whose signature stands in the body. */
const onSignedPart =
  (name: string): Tampering =>
  async (sender, order) => {
    if (sender.signature.length > 0) {
      return null;
    }
    const delivery = await sender.deliver(order);
    const member = new RegExp(`(?<="${name}":")[0-9a-f]+`);
    const text = delivery.body.toString().replace(member, changeEnd);
    return { ...delivery, body: Buffer.from(text) };
  };

/** Every way to tamper with a delivery, by name. Each result must be refused as not authentic. */
export const TAMPERINGS: Readonly<Record<string, Tampering>> = {
  "a changed character of the body": onBody((text) =>
    text.replace(/\w(?=\W*$)/, (last) => (last === "x" ? "y" : "x")),
  ),
  "a newline after the body": onBody((text) => `${text}\n`),
  "a byte order mark before the body": onBody((text) => `\ufeff${text}`),
  "a reformatted body": onBody(reformat),
  "a truncated body": onBody((text) => text.slice(0, -1)),
  "an empty body": onBody(() => ""),
  "the body of another message": async (sender, order) => {
    if (sender.isBodyUnsigned) {
      return null;
    }
    const { body } = await sender.deliver({ ...order, n: order.n + 0.5 });
    return { ...(await sender.deliver(order)), body };
  },
  "no signature": onSignature(() => null),
  "an empty signature": onSignature(() => ""),
  "a changed signature": onSignature(changeEnd),
  "a truncated signature": onSignature((value) => value.slice(0, -4)),
  "characters after the signature": onSignature((value) => `${value}00`),
  "characters before the signature": onSignature((value) => `x${value}`),
  "a signature in another encoding": onSignature((value) =>
    Buffer.from(value).toString("base64url"),
  ),
  "another time": onTime((time) => changeEnd(time)),
  "no time": onTime(() => ""),
  "the time as a text": onTime(() => "now"),
  "an old time": signedAt((windowSeconds) => -windowSeconds - 30),
  "a future time": signedAt((windowSeconds) => windowSeconds + 30),
  "another signed id": onSignedId((id) => `${id}0`),
  "no signed id": onSignedId(() => null),
  "a query that the sender did not sign": async (sender, order) => {
    const delivery = await sender.deliver(order);
    const { query = "" } = delivery;
    return sender.isUrlSigned
      ? { ...delivery, query: `${query}${query === "" ? "?" : "&"}admin=1` }
      : null;
  },
  "another signature in the body": onSignedPart("signature"),
  "another token in the body": onSignedPart("token"),
  "another time in the body": onSignedPart("timestamp"),
};
