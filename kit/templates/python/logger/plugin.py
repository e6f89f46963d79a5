"""Writes a line for each exchange."""

import logging

from gatehouse import Outcome, Request, Response


def log(request: Request, response: Response, outcome: Outcome) -> None:
    took = round(outcome.duration * 1000)
    logging.info("%s %s %d %d ms", request.method, request.path, response.status, took)
