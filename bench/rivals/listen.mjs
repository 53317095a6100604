// Functions that all rivals use. Each rival listens on a free port, and reports the port to the benchmark.
import { createHmac, timingSafeEqual } from "node:crypto";

export const ENDPOINT = "/webhooks/hex";

export function listen(server) {
  server.listen(0, "127.0.0.1", () => {
    process.send({ port: server.address().port });
  });
}

const key = Buffer.from(process.env.HEX_SECRET, "utf8");

/** Verifies a delivery of the scheme `hex` in constant time. */
export function isAuthentic(headers, body) {
  const offered = Buffer.from(headers["x-hex-signature"] ?? "", "hex");
  const mac = createHmac("sha256", key)
    .update(`${headers["x-hex-timestamp"]}.`)
    .update(body)
    .digest();
  return offered.length === 32 && timingSafeEqual(mac, offered);
}
