"""Counts the bytes of response bodies while they stream."""

import logging

from gatehouse import ChunkAction, Config, Request, Response


class Plugin:
    def __init__(self, config: Config) -> None:
        # The instance stays with one exchange until its last piece, so these are the bytes of that exchange.
        self.bytes = 0

    def on_response_chunk(self, request: Request, response: Response, chunk: bytes, last: bool) -> ChunkAction:
        self.bytes += len(chunk)
        if last:
            logging.info("%s: %d bytes", request.path, self.bytes)
            self.bytes = 0
        return None
