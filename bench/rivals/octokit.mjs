// @octokit/webhooks with its own middleware on node:http, as in its README. Stores nothing.
import { createServer } from "node:http";
import { createNodeMiddleware, Webhooks } from "@octokit/webhooks";
import { ENDPOINT, listen } from "./listen.mjs";

// Forged requests are expected, so their errors are not printed.
const log = { debug() {}, info() {}, warn() {}, error() {} };
const webhooks = new Webhooks({ secret: process.env.HEX_SECRET, log });
webhooks.on("push", () => undefined);
listen(createServer(createNodeMiddleware(webhooks, { path: ENDPOINT, log })));
