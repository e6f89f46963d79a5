"""Refuses bodies that are not JSON."""

import json

from gatehouse import Reply, Request, RequestAction


def request_body_limit(request: Request) -> int | None:
    return 65536 if request.header("content-type") == "application/json" else None


def on_request_body(request: Request, body: bytes) -> RequestAction:
    try:
        json.loads(body)
    except ValueError:
        return Reply(400, json={"error": "the body is no JSON"})
    return None
