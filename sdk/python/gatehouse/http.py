"""Requests to other servers. Needs `asks = ["http"]` in plugin.toml, and the grant of their origins.

    answer = http.get("https://users.example/alice", timeout=0.5)
    if answer.status == 200:
        title = answer.json()["title"]

While one waits, the gateway serves other requests with other instances. Redirects are not followed.
"""

from __future__ import annotations

import json as _json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from . import _host
from ._forms import body_bytes, fields, to_json
from .answer import Body, Headers


class Error(OSError):
    """There was no answer: the origin is not granted, does not answer, is too slow, or answers with too long a body."""


@dataclass(frozen=True)
class Answer:
    """The answer of another server, of whatever status. Names of headers are in lower case."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The value of a header; of several fields with that name all values, joined by `, `."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def text(self) -> str:
        """The body as UTF-8; what is not, is U+FFFD."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """The body's value. It raises a `ValueError` when there is none."""
        return _json.loads(self.body)


@dataclass(frozen=True)
class Sent:
    """A request as the gateway gets it; a test's server sees it."""

    method: str
    url: str
    scheme: str
    authority: str
    #: The path with the query.
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    timeout: float | None
    limit: int


def request(
    method: str,
    url: str,
    *,
    headers: Headers = (),
    body: Body = b"",
    json: Any = None,
    timeout: float | None = None,
    limit: int = 1 << 20,
) -> Answer:
    """Sends a request and waits for the whole answer, or raises `Error`.

    `json`, in the place of `body`, is any value that the module json writes. `timeout`, in seconds, is for the connection, for the
    answer's header section, and between bytes of its body; `limits.time` bounds the hook in any case. An answer with a body of
    more than `limit` bytes is an error.
    """
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        raise ValueError(f"the URL has no scheme or no host: {url!r}")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    all_headers, whole = to_json(fields(headers), body, json)
    sent = Sent(method, url, parts.scheme, parts.netloc, target, all_headers, whole, timeout, limit)
    return _host.current.send(sent)


def get(url: str, **options: Any) -> Answer:
    """As `request`."""
    return request("GET", url, **options)


def post(url: str, body: Body = b"", **options: Any) -> Answer:
    """As `request`."""
    return request("POST", url, body=body, **options)
