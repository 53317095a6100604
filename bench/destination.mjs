// Two destinations for `npm run bench`: /well answers at once, /dead never does. Tells the port, and, asked for them,
// how many requests each path has got.
import { createServer } from "node:http";

const counts = { well: 0, dead: 0 };
const server = createServer((req, res) => {
  req.resume();
  req.on("end", () => {
    if (req.url === "/well") {
      counts.well += 1;
      res.writeHead(204).end();
    } else {
      counts.dead += 1;
    }
  });
});
server.listen(0, "127.0.0.1", () => {
  process.send({ port: server.address().port });
});
process.on("message", () => process.send({ counts }));
