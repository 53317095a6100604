// The baseline: only node:http. Reads the body, verifies the HMAC in constant time, and stores nothing.
import { createServer } from "node:http";
import { isAuthentic, listen } from "./listen.mjs";

listen(
  createServer((req, res) => {
    const chunks = [];
    req.on("data", (chunk) => chunks.push(chunk));
    req.on("end", () => {
      const ok = isAuthentic(req.headers, Buffer.concat(chunks));
      const text = ok ? '{"received":true}' : '{"code":"unauthorized"}';
      res.writeHead(ok ? 200 : 401, {
        "content-type": "application/json",
        "content-length": String(text.length),
      });
      res.end(text);
    });
  }),
);
