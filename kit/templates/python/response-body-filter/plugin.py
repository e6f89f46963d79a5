"""Takes the field `password` out of JSON answers."""

import json

from gatehouse import Request, Response, ResponseAction, ResponseEdit


def response_body_limit(request: Request, response: Response) -> int | None:
    return 65536 if response.header("content-type") == "application/json" else None


def on_response_body(request: Request, response: Response, body: bytes) -> ResponseAction:
    answer = json.loads(body)
    if "password" not in answer:
        return None
    del answer["password"]
    return ResponseEdit(body=json.dumps(answer, separators=(",", ":")))
