import type { Route } from "../../domain/destination.ts";
import type { DestinationReader } from "../../store/port.ts";

type Store = Pick<DestinationReader, "processStatuses">;

/** Returns the routes that the newest service has published; null if no service has published any. */
export async function publishedRoutes(
  store: Store,
): Promise<readonly Route[] | null> {
  const [newest] = await store.processStatuses();
  return newest?.destinations ?? null;
}

/** Returns a warning if the newest service does not serve some of these destinations, since their deliveries wait. */
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
    : `the service that started last does not serve ${unserved.join(", ")} yet: send SIGHUP to it, or restart it`;
}
