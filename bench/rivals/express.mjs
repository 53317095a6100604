// Express with its defaults: one route and express.raw. Verifies the HMAC and stores nothing.
import { createServer } from "node:http";
import express from "express";
import { ENDPOINT, isAuthentic, listen } from "./listen.mjs";

const app = express();
app.post(ENDPOINT, express.raw({ type: "*/*", limit: "1mb" }), (req, res) => {
  if (isAuthentic(req.headers, req.body)) {
    res.json({ received: true });
  } else {
    res.status(401).json({ code: "unauthorized" });
  }
});
listen(createServer(app));
