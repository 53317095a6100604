import type { HexApiConfig } from "../config/hex-api.ts";
import type { Store } from "../store/port.ts";
import type { HexClientOptions } from "../hex-api/hex-call.ts";
import { hexClientOptions } from "../app/live-hex-api.ts";
import { SYSTEM } from "./system.ts";

/** Returns the options of a Hex API client that calls in the operator's name, and audits each call in the store. */
export function commandClientOptions(
  config: HexApiConfig,
  store: Store,
  operator: string,
): HexClientOptions {
  const userId = `operator:${operator}`;
  const deps = { ...SYSTEM, append: store.append };
  return { ...hexClientOptions(config, deps), userId };
}
