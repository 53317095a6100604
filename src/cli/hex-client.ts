import type { HexApiConfig } from "../config/hex-api.ts";
import type { Store } from "../store/port.ts";
import type { HexClientOptions } from "../hex-api/hex-call.ts";
import { hexClientOptions } from "../app/live-hex-api.ts";
import { SYSTEM } from "./system.ts";

/** How a command calls the Hex API: in the operator's name, each call in the audit trail of the store. */
export function commandClientOptions(
  config: HexApiConfig,
  store: Store,
  operator: string,
): HexClientOptions {
  const userId = `operator:${operator}`;
  const deps = { ...SYSTEM, append: store.append };
  return { ...hexClientOptions(config, deps), userId };
}
