// What Node.js reads of requests: `node node.mjs < cases > readings`, as parsers.py has it.

import http from "node:http";
import net from "node:net";
import { readFileSync } from "node:fs";

const cases = JSON.parse(readFileSync(0, "utf8"));
let read = [];

const server = http.createServer({ maxHeaderSize: 1 << 20, keepAlive: true }, (request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const headers = [];
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      headers.push([request.rawHeaders[at].toLowerCase(), request.rawHeaders[at + 1]]);
    }
    read.push({ method: request.method, target: request.url, headers, body: Buffer.concat(pieces).toString("latin1") });
    response.end();
  });
});
server.maxHeadersCount = 0;
// Without a listener it would close the connection: here it is a request as any.
server.on("upgrade", (request, socket) => socket.end("HTTP/1.1 400 upgrade\r\n\r\n"));

function ask(one) {
  return new Promise((resolve) => {
    read = [];
    let said = "";
    const socket = net.connect(server.address().port, "127.0.0.1");
    const timer = setTimeout(() => socket.destroy(), 5000);
    const answers = () => said.split("HTTP/1.1 ").length - 1;
    socket.on("data", (piece) => {
      said += piece.toString("latin1");
      if (answers() >= one.count) socket.end();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      const refused = said.match(/HTTP\/1\.1 ([45]\d\d[^\r]*)/);
      resolve(refused ? `refused with ${refused[1]}` : read);
    });
    socket.write(Buffer.from(one.raw, "latin1"));
  });
}

server.listen(0, "127.0.0.1", async () => {
  const readings = [];
  for (const one of cases) readings.push(await ask(one));
  process.stdout.write(JSON.stringify(readings), () => process.exit(0));
});
