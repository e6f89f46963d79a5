"""Write a plugin for the Gatehouse API gateway in Python: README.md beside this file tells how."""

from __future__ import annotations

from hmac import compare_digest as _compare

from . import _host, http
from .answer import (
    Abstain,
    Allow,
    Body,
    ChunkAction,
    Deny,
    Headers,
    Reply,
    RequestAction,
    RequestEdit,
    ResponseAction,
    ResponseEdit,
    Verdict,
)
from .config import Config, ConfigError
from .exchange import Outcome, Request, Response
from .keyvalue import Bucket, StoreError, open_bucket

__all__ = [
    "Abstain",
    "Allow",
    "Body",
    "Bucket",
    "ChunkAction",
    "Config",
    "ConfigError",
    "Deny",
    "Headers",
    "Outcome",
    "Reply",
    "Request",
    "RequestAction",
    "RequestEdit",
    "Response",
    "ResponseAction",
    "ResponseEdit",
    "StoreError",
    "Verdict",
    "http",
    "open_bucket",
    "same_secret",
    "write_line",
]


def same_secret(a: str | None, b: str | None) -> bool:
    """Whether two secrets are the same, in a time that does not tell where they differ.

    Never when they are empty or absent: an absent header must not match a key that someone forgot to configure.
    """
    return bool(a) and bool(b) and _compare((a or "").encode(), (b or "").encode())


def write_line(line: str) -> bool:
    """Hands over one line, without the line feed, to the place that the operator chose.

    False when that cannot keep up and the line was dropped. Needs `asks = ["output"]` in plugin.toml and the grant.
    """
    return _host.current.write_line(line)
