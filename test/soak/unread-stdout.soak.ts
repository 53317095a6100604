import { beforeEach, expect, it } from "@jest/globals";
import { temporaryFolder } from "../support/temporary-folder.ts";
import {
  expectUnreadStdoutHarmless,
  throughPipe,
  throughSocket,
} from "../support/unread-stdout.ts";

const HOUR_MS = 3_600_000;

/** The growth of the heap that is allowed. Lines that are not dropped would take some 110 MiB here. */
const MAX_GROWTH_MIB = 64;

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

it.each([
  { kind: "a pair of sockets", open: throughSocket },
  { kind: "a pipe", open: throughPipe },
])(
  "an unread standard output does not make the memory grow: $kind",
  async ({ open }) => {
    const grown = await expectUnreadStdoutHarmless(folder.path, open, {
      warmUp: 1000,
      stuck: 5000,
      closed: 300,
    });
    expect(grown).toBeLessThan(MAX_GROWTH_MIB);
  },
  HOUR_MS,
);
