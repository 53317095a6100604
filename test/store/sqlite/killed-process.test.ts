import { expect, it } from "@jest/globals";
import { hang, startDestination } from "../../support/destinations.ts";
import { eventually } from "../../support/eventually.ts";
import { eventBody, signed } from "../../support/fixtures.ts";
import { noHandlers } from "../../support/no-handlers.ts";
import { openTestStore } from "../../support/open-test-store.ts";
import { serve } from "../../support/processes.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

it("the leases of a killed process end when the next one starts", async () => {
  const folder = temporaryFolder().path;
  const destination = await startDestination(hang);
  const running = await serve(folder, {
    FORWARD_URL: destination.url,
    HANDLERS: noHandlers(folder),
    ATTEMPT_TIMEOUT: "1h",
  });
  const body = eventBody("evt_1");
  await running.post(body, signed(body));
  await eventually(() => destination.attempts.length === 1);
  await running.stop("SIGKILL");
  const store = await openTestStore(folder, { delivers: true });
  const [event] = await store.findEvents("evt_1");
  expect(event!.deliveries).toMatchObject([
    { state: "pending", attempt: 1, inFlight: false },
  ]);
});
