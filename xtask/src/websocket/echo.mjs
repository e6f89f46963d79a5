// Sends every message back, for the Autobahn cases: `node echo.mjs PORT`.

import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]), perMessageDeflate: true });
server.on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }));
  // What breaks the protocol ends its own connection.
  socket.on("error", () => {});
});
