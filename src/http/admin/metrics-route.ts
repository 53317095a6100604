import { Router } from "express";
import { methodNotAllowed } from "../../errors.ts";
import { METRICS_TYPE } from "../../telemetry/metrics/metrics.ts";
import { responseHeaders, writeHead } from "../response-head.ts";

const HEADERS = responseHeaders({ "content-type": METRICS_TYPE });

/** Creates `/metrics` in the Prometheus text format, without a token. */
export function createMetricsRoute(scrape: () => Promise<string>): Router {
  const router = Router({ caseSensitive: true, strict: true });
  router.get("/metrics", async (_req, res) => {
    const body = Buffer.from(await scrape());
    writeHead(res, 200, [...HEADERS, "content-length", String(body.length)]);
    res.end(body);
  });
  router.all("/metrics", () => {
    throw methodNotAllowed("GET, HEAD");
  });
  return router;
}
