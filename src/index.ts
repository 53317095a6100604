/** What the package offers to a handlers module. */
export { defineHandlers } from "./core/define-handlers.ts";
export type {
  Handler,
  HandlerContext,
  HandlerEvent,
  HandlerLogger,
  Handlers,
} from "./core/model.ts";
