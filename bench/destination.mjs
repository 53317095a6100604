// An HTTP destination for the benchmark: answers 204 at once, and reports how many deliveries it got when asked.
import { createServer } from "node:http";

let count = 0;
const server = createServer((req, res) => {
  req.resume();
  req.on("end", () => {
    count += 1;
    res.writeHead(204).end();
  });
});
server.listen(0, "127.0.0.1", () => {
  process.send({ port: server.address().port });
});
process.on("message", () => process.send({ count }));
