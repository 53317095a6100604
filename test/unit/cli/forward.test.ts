import { describe, expect, it } from "@jest/globals";
import { createForwarder } from "../../../src/cli/listen/forward.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { hang, reply, startDestination } from "../../support/destinations.ts";
import { eventually } from "../../support/eventually.ts";
import { eventBody } from "../../support/fixtures.ts";

const EVENT = {
  source: "hex",
  id: "evt_1",
  idSigned: true,
  type: "t",
  receivedAt: 0,
  contentType: "application/json",
  headers: "{}",
  body: eventBody("evt_1"),
};

function forwarderTo(url: string) {
  const forwarder = createForwarder({ url, secret: null, timeoutMs: 60_000 });
  cleanUp(forwarder.close);
  return forwarder;
}

describe("the forwarder of listen", () => {
  it("reports the result of an attempt", async () => {
    const destination = await startDestination(reply(200));
    const { forward } = forwarderTo(destination.url);
    const place = destination.url.replace("/hooks", "");
    expect(await forward(EVENT)).toEqual({
      ok: true,
      text: expect.stringMatching(
        new RegExp(`^forwarded to ${place}: 200 \\(\\d+ ms\\)$`),
      ),
    });
    destination.answer(reply(500));
    expect(await forward(EVENT)).toEqual({
      ok: false,
      text: expect.stringMatching(
        new RegExp(`^not forwarded to ${place}: status 500 `),
      ),
    });
  });

  it("limits the attempts in flight, and ends them", async () => {
    const destination = await startDestination(hang);
    const { forward, close } = forwarderTo(destination.url);
    const hanging = Array.from({ length: 32 }, () => forward(EVENT));
    expect(await forward(EVENT)).toEqual({
      ok: false,
      text: "not forwarded: 32 attempts are in flight",
    });
    await eventually(() => destination.seen().most === 32);
    close();
    const results = await Promise.all(hanging);
    expect(results.filter(({ ok }) => ok)).toEqual([]);
  });
});
