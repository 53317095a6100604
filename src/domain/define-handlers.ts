import type { Handlers } from "./model.ts";

/**
 * Gives a handlers module its types: `export default defineHandlers({ "invoice.paid": async (event, context) => … })`.
 * Returns what it is given.
 */
export function defineHandlers<T extends Handlers>(handlers: T): T {
  return handlers;
}
