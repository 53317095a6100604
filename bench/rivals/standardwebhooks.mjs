// standardwebhooks in Express, as in its README. Stores nothing.
import { createServer } from "node:http";
import express from "express";
import { Webhook } from "standardwebhooks";
import { ENDPOINT, listen } from "./listen.mjs";

const webhook = new Webhook(process.env.STANDARD_SECRET);
const app = express();
app.post(ENDPOINT, express.raw({ type: "*/*", limit: "1mb" }), (req, res) => {
  try {
    webhook.verify(req.body, req.headers);
  } catch {
    res.status(401).json({ code: "unauthorized" });
    return;
  }
  res.json({ received: true });
});
listen(createServer(app));
