// The yardstick: node:http, reads the body, verifies the HMAC in constant time, stores nothing.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from(process.env.HEX_SECRET, "utf8");

const server = createServer((req, res) => {
  const chunks = [];
  req.on("data", (chunk) => chunks.push(chunk));
  req.on("end", () => {
    const body = Buffer.concat(chunks);
    const offered = Buffer.from(req.headers["x-hex-signature"] ?? "", "hex");
    const mac = createHmac("sha256", key)
      .update(`${req.headers["x-hex-timestamp"]}.`)
      .update(body)
      .digest();
    const ok = offered.length === 32 && timingSafeEqual(mac, offered);
    const answer = ok ? '{"received":true}' : '{"code":"unauthorized"}';
    res.writeHead(ok ? 200 : 401, {
      "content-type": "application/json",
      "content-length": String(answer.length),
    });
    res.end(answer);
  });
});
server.listen(0, "127.0.0.1", () => {
  process.send({ port: server.address().port });
});
