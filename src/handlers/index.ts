import { defineHandlers } from "../index.ts";

/**
 * Handles events: edit this file, or set HANDLERS to the path of a separate module. A key is an event type, `prefix.*` or `*`.
 * Each key that matches an event has its own delivery. A function that throws, or takes longer than ATTEMPT_TIMEOUT, is called
 * again by RETRY_SCHEDULE. It may therefore run more than once for one event: `event.id` is the same each time.
 */
export default defineHandlers({
  "*": (event, { logger }) => {
    logger.info({ bytes: event.rawBody.length }, "event received");
  },
});
