import type {
  PublishedDestination,
  PublishedService,
  PublishedState,
} from "../../src/store/records.ts";

/** Returns the state that a service without sources publishes. */
export function publishedState(
  destinations: readonly PublishedDestination[] = [],
  service: Partial<PublishedService> = {},
): PublishedState {
  return {
    destinations,
    service: {
      version: "1.0.0",
      startedAt: 1000,
      readiness: "ready",
      lastMinute: { accepted: 0, repeated: 0, rejected: 0 },
      sources: [],
      sinks: [],
      ...service,
    },
  };
}
