import { type Handlers } from "../core/model.ts";

/**
 * What happens with an event: this is the one file to edit. Keys are event types, `prefix.*` or `*`; every key that
 * matches runs, each as a delivery of its own. A function that throws, or takes longer than ATTEMPT_TIMEOUT, is
 * tried again by RETRY_SCHEDULE, so it must bear being run twice for one event: `event.id` stays the same.
 *
 * To keep your handlers in a file of your own, set HANDLERS to its path.
 */
const handlers: Handlers = {
  "*": (event, { logger }) => {
    logger.info({ bytes: event.rawBody.length }, "event received");
  },
};

export default handlers;
