// Counts the bytes of response bodies while they stream.

import { logger } from "@gatehouse/plugin";

// The instance stays with one exchange until its last piece, so a variable counts the bytes of that exchange.
let bytes = 0;

export function onResponseChunk(request, response, chunk, last) {
  bytes += chunk.length;
  if (last) {
    logger.info(`${request.path}: ${bytes} bytes`);
    bytes = 0;
  }
}
