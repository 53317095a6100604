import type { Route } from "../../domain/destination.ts";
import type { DestinationReader } from "../../store/port.ts";

type Store = Pick<DestinationReader, "processStatuses">;

/** What the newest service has published of its destinations; null when none has. */
export async function publishedRoutes(
  store: Store,
): Promise<readonly Route[] | null> {
  const [newest] = await store.processStatuses();
  return newest?.destinations ?? null;
}

/** What to say when the newest service does not serve some of these destinations, whose deliveries wait; null when it does. */
export async function unservedWarning(
  store: Store,
  destinations: ReadonlySet<string>,
): Promise<string | null> {
  const published = await publishedRoutes(store);
  const served = published?.map(({ name }) => name);
  const unserved = [...destinations]
    .filter((name) => served?.includes(name) === false)
    .sort()
    .map((name) => JSON.stringify(name));
  return unserved.length === 0
    ? null
    : `the service that started last does not serve ${unserved.join(", ")} yet: send it SIGHUP, or restart it`;
}
