/** What the package offers to a handlers module. */
export type { AuditDraft } from "./core/audit-entry.ts";
export { defineHandlers } from "./core/define-handlers.ts";
export type {
  Handler,
  HandlerContext,
  HandlerEvent,
  HandlerLogger,
  Handlers,
  HexApi,
} from "./core/model.ts";
export type { EnvironmentName, ScopeRules } from "./core/scopes.ts";
export type { HexClientOptions } from "./hex/hex-call.ts";
export { HexApiError, HexDeniedError } from "./hex/hex-error.ts";
export { HexReader } from "./hex/hex-reader.ts";
export type { HexAnswer } from "./hex/hex-request.ts";
export { type HexProperties, HexWriter } from "./hex/hex-writer.ts";
