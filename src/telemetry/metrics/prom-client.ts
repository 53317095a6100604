import { createRequire } from "node:module";
import type * as client from "prom-client";

/**
 * The classes of prom-client. `require` loads it: on Node 20, `import` of this package can return an empty module if
 * `node_modules` is a symbolic link.
 */
export const { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } =
  createRequire(import.meta.url)("prom-client") as typeof client;
