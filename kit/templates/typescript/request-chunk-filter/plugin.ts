// Counts the bytes of request bodies while they stream.

import { logger, type ChunkAction, type Request } from "@gatehouse/plugin";

// The instance stays with one exchange until its last piece, so a variable counts the bytes of that exchange.
let bytes = 0;

export function onRequestChunk(request: Request, chunk: Uint8Array, last: boolean): ChunkAction {
  bytes += chunk.length;
  if (last) {
    logger.info(`${request.path}: ${bytes} bytes`);
    bytes = 0;
  }
}
