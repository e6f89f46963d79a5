"""The subject of the conformance battery: the same plugin in every language, run through the same cases
(tests/conformance.rs). What it does is told by headers of the request, so each hook shows all that it can do."""

import logging
from dataclasses import dataclass

from gatehouse import (
    Abstain,
    Allow,
    ChunkAction,
    Config,
    Deny,
    Outcome,
    Reply,
    Request,
    RequestAction,
    RequestEdit,
    Response,
    ResponseAction,
    ResponseEdit,
    Verdict,
    http,
    same_secret,
)


@dataclass
class Settings:
    secret: str
    url: str = ""


class Plugin:
    def __init__(self, config: Config) -> None:
        self.settings = config.read(Settings)
        if not self.settings.secret:
            raise ValueError("`secret` is empty")
        # How often this instance was asked to authorize.
        self.seen = 0
        # Bytes of the body that is passing.
        self.counted = 0

    def authorize(self, request: Request) -> Verdict:
        self.seen += 1
        match request.header("x-act"):
            case "key":
                if not same_secret(request.header("x-key"), self.settings.secret):
                    return Deny(403, json={"error": "unknown key"}, max_age=0)
                return Allow("key-holder", attributes={"seen": str(self.seen)}, max_age=60)
            case "deny":
                headers = {"x-reason": "money", "www-authenticate": "Pay"}
                return Deny(402, headers=headers, body="no money", reason="out of money")
            case "abstain":
                return Abstain()
            case "error":
                raise RuntimeError("the subject was asked to fail")
            case "loop":
                while True:
                    self.seen += 1
            case "echo":
                return echo(request)
            case "fetch":
                return self.fetch()
        attributes = {"plan": "gold", "seen": str(self.seen)}
        return Allow("alice", attributes=attributes, set_headers={"x-verdict": "allow"}, max_age=0)

    def fetch(self) -> Verdict:
        try:
            answer = http.get(self.settings.url, headers={"x-from": "subject"})
        except http.Error:
            return Deny(503, body="fetch failed")
        return Allow(set_headers={"x-fetched": f"{answer.status} {answer.text}"})

    def on_request(self, request: Request) -> RequestAction:
        match request.header("x-edit"):
            case "edit":
                return RequestEdit(
                    method="PUT",
                    path="/edited",
                    query="a=b",
                    remove_headers=["x-gone"],
                    set_headers={"x-set": "1"},
                    append_headers={"x-multi": "3"},
                    attributes={"note": "edited"},
                )
            case "respond":
                return Reply(418, headers={"x-teapot": "yes"}, body="short and stout")
            case "error":
                raise RuntimeError("the filter was asked to fail")
        return None

    def request_body_limit(self, request: Request) -> int | None:
        match request.header("x-body"):
            case "trap":
                raise RuntimeError("the subject was asked to crash")
            case None:
                return None
        return 65536

    def on_request_body(self, request: Request, body: bytes) -> RequestAction:
        match request.header("x-body"):
            case "double":
                return RequestEdit(body=body * 2)
            case "respond":
                return Reply(422, body=f"{len(body)} bytes")
            case "error":
                raise RuntimeError("the filter was asked to fail")
        return None

    def on_response(self, request: Request, response: Response) -> ResponseAction:
        match request.header("x-answer"):
            case "edit":
                return ResponseEdit(
                    status=203,
                    remove_headers=["x-gone"],
                    set_headers={"x-upstream-status": str(response.status)},
                    attributes={"answered": "yes"},
                )
            case "replace":
                return Reply(503, body="replaced")
        return None

    def on_response_chunk(self, request: Request, response: Response, chunk: bytes, last: bool) -> ChunkAction:
        match request.header("x-chunks"):
            case "upper":
                return chunk.upper()
            case "count":
                self.counted += len(chunk)
                if not last:
                    return b""
                text, self.counted = str(self.counted), 0
                return text
        return None

    def log(self, request: Request, response: Response, outcome: Outcome) -> None:
        principal = request.attribute("auth.principal") or "-"
        logging.info("subject: %d %s %s", response.status, principal, outcome.failure or "-")


def echo(request: Request) -> Verdict:
    """Tells the upstream all that can be read."""

    def or_none(value: str | None) -> str:
        return "-" if value is None else value

    return Allow(
        remove_headers=["x-gone"],
        set_headers={
            "x-method": request.method,
            "x-path": request.path,
            "x-query": or_none(request.query),
            "x-q": or_none(request.query_param("q")),
            "x-qs": "|".join(request.query_params("q")),
            "x-p": or_none(request.path_param("p")),
            "x-scheme": request.scheme,
            "x-bytes": or_none(request.header("x-bytes")),
            "x-cookie": or_none(request.cookie("c")),
            "x-bearer": or_none(request.bearer()),
            "x-values": "|".join(request.header_values("x-multi")),
            "x-client": request.client_ip,
            "x-route": request.route,
        },
        append_headers={"x-appended": ["1", "2"]},
        max_age=0,
    )
