"""Hides what the upstream is made of."""

from gatehouse import Request, Response, ResponseAction, ResponseEdit


def on_response(request: Request, response: Response) -> ResponseAction:
    if response.header("x-powered-by") is None:
        return None
    return ResponseEdit(remove_headers=["x-powered-by"])
