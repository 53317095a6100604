// An HTTP destination for the benchmark. It responds 204 at once, and reports its number of deliveries on request.
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
