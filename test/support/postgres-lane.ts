import { connect } from "../../src/store/postgres/connection.ts";
import { createPartitions } from "../../src/store/postgres/partitions.ts";
import type { Pool } from "../../src/store/postgres/pool.ts";
import type { PostgresUrl } from "../../src/store/url.ts";
import { createWriting } from "../../src/store/postgres/writing.ts";
import { cleanUp } from "./cleanup.ts";
import { SIGNING_KEY } from "./fixtures.ts";

/** Opens the lane of a process. It is closed when the test ends. */
export function openLane(
  { target, pool }: { target: PostgresUrl; pool: Pool },
  writer: string,
  now: () => number,
) {
  const writing = createWriting({
    store: { writer, signingKey: SIGNING_KEY, now },
    connect: (connectMs) => connect(target, { connectMs }),
    partitions: createPartitions(target, pool),
    clockOffset: () => 0,
  });
  cleanUp(() => writing.lane.close());
  return writing;
}
