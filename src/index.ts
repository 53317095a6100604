/// <reference types="node" preserve="true" />
/** What the package offers to a handlers module. */
export type { AuditDraft } from "./audit/entry.ts";
export {
  defineHandlers,
  type Handler,
  type HandlerContext,
  type HandlerEvent,
  type HandlerLogger,
  type Handlers,
  type HexApi,
  type LogFunction,
} from "./domain/handler.ts";
export type { EnvironmentName, ScopeRules } from "./hex-api/scopes.ts";
export type { HexClientOptions } from "./hex-api/hex-call.ts";
export { HexApiError, HexDeniedError } from "./hex-api/hex-error.ts";
export { HexReader } from "./hex-api/hex-reader.ts";
export type { HexAnswer } from "./hex-api/hex-request.ts";
export { type HexProperties, HexWriter } from "./hex-api/hex-writer.ts";
