import type * as client from "prom-client";
import { collectDefaultMetrics, Registry } from "./prom-client.ts";

let registry: client.Registry | null = null;

/**
 * Returns the `process_*` and `nodejs_*` metrics of this process as text. They are observed once for each process, because
 * prom-client cannot end its observers.
 */
export function processMetrics(): Promise<string> {
  if (registry === null) {
    registry = new Registry();
    collectDefaultMetrics({ register: registry });
  }
  return registry.metrics();
}
