import { defineHandlers } from "../index.ts";

/**
 * What happens with an event: this is the one file to edit. Keys are event types, `prefix.*` or `*`; every key that
 * matches runs, each as a delivery of its own. A function that throws, or takes longer than ATTEMPT_TIMEOUT, is
 * tried again by RETRY_SCHEDULE, so it must bear being run twice for one event: `event.id` stays the same.
 *
 * To keep your handlers in a file of your own, set HANDLERS to its path.
 */
export default defineHandlers({
  "*": (event, { logger }) => {
    logger.info({ bytes: event.rawBody.length }, "event received");
  },
});
