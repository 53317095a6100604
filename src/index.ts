/// <reference types="node" preserve="true" />
/** The public API of the package, for handlers modules and programs that call the Hex API. */
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
  type UnknownPayload,
} from "./domain/handler.ts";
export type { EnvironmentName, ScopeRules } from "./hex-api/scopes.ts";
export type { HexClientOptions } from "./hex-api/hex-call.ts";
export { HexApiError, HexDeniedError } from "./hex-api/hex-error.ts";
export { HexReader } from "./hex-api/hex-reader.ts";
export type { HexAnswer } from "./hex-api/hex-request.ts";
export { type HexProperties, HexWriter } from "./hex-api/hex-writer.ts";
