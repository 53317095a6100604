// @octokit/webhooks with its own middleware on node:http, as its README shows. Stores nothing.
import { createServer } from "node:http";
import { createNodeMiddleware, Webhooks } from "@octokit/webhooks";
import { ENDPOINT, listen } from "./listen.mjs";

const webhooks = new Webhooks({
  secret: process.env.HEX_SECRET,
  // Forged requests are expected here: they are not printed one by one.
  log: { debug() {}, info() {}, warn() {}, error() {} },
});
webhooks.on("push", () => undefined);
webhooks.onError(() => undefined);
listen(createServer(createNodeMiddleware(webhooks, { path: ENDPOINT })));
