// A common combination: Express, express.raw, node:crypto, Redis `SET NX` against replays, and a BullMQ job. Redis syncs its
// log before each response (appendfsync always), so an accepted delivery is durable, as with Hexhook.
import { createServer } from "node:http";
import { Queue } from "bullmq";
import express from "express";
import { Redis } from "ioredis";
import { ENDPOINT, isAuthentic, listen } from "./listen.mjs";

const connection = { host: "127.0.0.1", port: Number(process.env.REDIS_PORT) };
const redis = new Redis(connection);
const queue = new Queue("webhooks", { connection });
await queue.waitUntilReady();

const app = express();
app.post(
  ENDPOINT,
  express.raw({ type: "*/*", limit: "1mb" }),
  async (req, res) => {
    if (!isAuthentic(req.headers, req.body)) {
      res.status(401).json({ code: "unauthorized" });
      return;
    }
    const event = JSON.parse(req.body.toString());
    const isNew = await redis.set(`seen:${event.id}`, "1", "EX", 86_400, "NX");
    if (isNew === null) {
      res.status(409).json({ code: "replayed" });
      return;
    }
    await queue.add(event.type, event);
    res.json({ received: true });
  },
);
listen(createServer(app));
