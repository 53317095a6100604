import { beforeEach, it } from "@jest/globals";
import { expectFloodWithinBudget } from "../support/flood.ts";
import { serve } from "../support/processes.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const HOUR_MS = 3_600_000;

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

it.each([
  { from: "one address", addresses: 1, budget: 60 },
  { from: "1,000 claimed addresses", addresses: 1000, budget: 600 },
])(
  "50,000 forged deliveries from $from leave entries within the budget and a store that does not grow",
  async ({ addresses, budget }) => {
    const { port, stop } = await serve(folder.path, { TRUST_PROXY: "1" });
    await expectFloodWithinBudget(folder.path, {
      port,
      stop,
      addresses,
      budget,
      forged: 50_000,
      maxBytes: 2_000_000,
    });
  },
  HOUR_MS,
);
