"""Tells the upstream who has asked."""

from gatehouse import Request, RequestAction, RequestEdit


def on_request(request: Request) -> RequestAction:
    return RequestEdit(set_headers={"x-caller": request.client_ip})
