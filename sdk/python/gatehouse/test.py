"""Doubles of the gateway, to test a plugin with plain `python3 -m unittest`.

    gate = test.start(plugin, {"key": "k1"})
    exchange = test.Exchange("GET", "/pets/1", headers={"x-key": "k1"})
    assert exchange.authorize(gate) == Allow("alice")
    assert exchange.reads == ["header:x-key"]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from urllib.parse import unquote_plus

from . import _host, _logging, _plugin
from ._forms import body_bytes, fields
from .answer import Body, ChunkAction, Headers, RequestAction, ResponseAction, Verdict
from .config import Config
from .exchange import Outcome, Request, Response
from .http import Answer, Error, Sent
from .keyvalue import StoreError

_LEVELS = ["trace", "debug", "info", "warn", "error"]


@dataclass
class Gateway:
    """The gateway around the exchanges of a test."""

    #: Answers what the plugin sends to other servers; without it, sending fails.
    server: Callable[[Sent], Answer] | None = None
    #: The requests that the plugin has sent: "GET http://profiles.example/alice".
    sent: list[str] = field(default_factory=list)
    #: The lines that the plugin has logged: "warn: no profile".
    log: list[str] = field(default_factory=list)
    #: The lines that the plugin has written to the output.
    output: list[str] = field(default_factory=list)
    #: The key-value state.
    buckets: dict[str, dict[str, bytes]] = field(default_factory=dict)


def start(plugin: ModuleType, config: Mapping[str, Any] | None = None, gateway: Gateway | None = None) -> Any:
    """Starts a plugin's module with a configuration, as the gateway does. What comes is handed to the exchanges."""
    # Only what JSON has comes through.
    text = json.dumps(dict(config or {}))
    with _answering(_Gateway(gateway or Gateway())):
        return _plugin.start(plugin, Config.parse(text))


@dataclass
class Exchange:
    """One request and what became of it. What is left out has a default."""

    method: str = "GET"
    #: The path with the query: "/pets/1?x=y".
    target: str = "/"
    #: A name may have a list of values.
    headers: Headers = ()
    #: What the route's path template caught.
    path_params: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    #: With their full names: "auth.principal".
    attributes: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    scheme: str = field(default="http", kw_only=True)
    authority: str = field(default="localhost", kw_only=True)
    protocol: str = field(default="HTTP/1.1", kw_only=True)
    client_ip: str = field(default="127.0.0.1", kw_only=True)
    route: str = field(default="route", kw_only=True)
    id: str = field(default="0123456789abcdef", kw_only=True)

    status: int = field(default=0, kw_only=True)
    response_headers: Headers = field(default=(), kw_only=True)

    #: Seconds; `started` since 1970.
    started: float = field(default=0, kw_only=True)
    duration: float = field(default=0, kw_only=True)
    upstream_duration: float | None = field(default=None, kw_only=True)
    request_bytes: int = field(default=0, kw_only=True)
    response_bytes: int = field(default=0, kw_only=True)
    verdict: str | None = field(default=None, kw_only=True)
    verdict_cached: bool = field(default=False, kw_only=True)
    failure: str | None = field(default=None, kw_only=True)

    #: What it runs in.
    gateway: Gateway = field(default_factory=Gateway, kw_only=True)
    _reads: set[str] = field(default_factory=set, init=False, repr=False)

    @property
    def reads(self) -> list[str]:
        """What was read of the request so far, sorted: "header:authorization", "path". The gateway makes the key of a kept
        verdict of it."""
        return sorted(self._reads)

    @contextmanager
    def running(self) -> Iterator[Request]:
        """Code in this `with` runs within the exchange."""
        with _answering(_Exchange(self)):
            yield Request()

    def authorize(self, plugin: Any) -> Verdict:
        """Calls the hook of that name; `plugin` is what `start` gave, or the module of one that was not started."""
        with self.running() as request:
            return plugin.authorize(request)  # type: ignore[no-any-return]

    def on_request(self, plugin: Any) -> RequestAction:
        """Calls the hook of that name."""
        with self.running() as request:
            return plugin.on_request(request)  # type: ignore[no-any-return]

    def on_request_body(self, plugin: Any, body: Body) -> RequestAction:
        """Calls the hook of that name if the plugin wants to see the body."""
        with self.running() as request:
            limit = getattr(plugin, "request_body_limit", None)
            if limit and limit(request) is None:
                return None
            return plugin.on_request_body(request, body_bytes(body))  # type: ignore[no-any-return]

    def on_request_chunk(self, plugin: Any, chunk: Body, last: bool) -> ChunkAction:
        """Calls the hook of that name."""
        with self.running() as request:
            return plugin.on_request_chunk(request, body_bytes(chunk), last)  # type: ignore[no-any-return]

    def on_response(self, plugin: Any) -> ResponseAction:
        """Calls the hook of that name."""
        with self.running() as request:
            return plugin.on_response(request, Response())  # type: ignore[no-any-return]

    def on_response_body(self, plugin: Any, body: Body) -> ResponseAction:
        """Calls the hook of that name if the plugin wants to see the body."""
        with self.running() as request:
            limit = getattr(plugin, "response_body_limit", None)
            if limit and limit(request, Response()) is None:
                return None
            return plugin.on_response_body(request, Response(), body_bytes(body))  # type: ignore[no-any-return]

    def on_response_chunk(self, plugin: Any, chunk: Body, last: bool) -> ChunkAction:
        """Calls the hook of that name."""
        with self.running() as request:
            return plugin.on_response_chunk(request, Response(), body_bytes(chunk), last)  # type: ignore[no-any-return]

    def log(self, plugin: Any) -> None:
        """Calls the hook of that name."""
        with self.running() as request:
            plugin.log(request, Response(), Outcome())


@contextmanager
def _answering(host: Any) -> Iterator[None]:
    _logging.install()
    _host.current = host
    try:
        yield
    finally:
        _host.current = _host.nobody


class _Gateway:
    """What is there outside of an exchange too."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"`{name}` was asked outside of an exchange")

    def log_enabled(self, level: int) -> bool:
        return True

    def log_write(self, level: int, message: str) -> None:
        self._gateway.log.append(f"{_LEVELS[level]}: {message}")

    def write_line(self, line: str) -> bool:
        self._gateway.output.append(line)
        return True

    def open_bucket(self, name: str) -> _Bucket:
        return _Bucket(name)

    def bucket(self, name: str) -> dict[str, bytes]:
        return self._gateway.buckets.setdefault(name, {})

    def send(self, request: Sent) -> Answer:
        url = f"{request.scheme}://{request.authority}{request.target}"
        self._gateway.sent.append(f"{request.method} {url}")
        if self._gateway.server is None:
            raise Error(f"nothing answers {url}")
        answer = self._gateway.server(request)
        if len(answer.body) > request.limit:
            raise Error(f"the answer's body is longer than {request.limit} bytes")
        return answer


class _Exchange(_Gateway):
    """The doubles of the contract's functions."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange.gateway)
        self._exchange = exchange
        self._path, self._mark, self._query = exchange.target.partition("?")

    def _read(self, what: str) -> Exchange:
        self._exchange._reads.add(what)
        return self._exchange

    def method(self) -> str:
        return self._read("method").method

    def path(self) -> str:
        self._read("path")
        return self._path

    def query(self) -> str | None:
        self._read("query")
        return self._query if self._mark else None

    def query_param(self, name: str) -> str | None:
        self._read(f"query-param:{name}")
        return next(iter(self._parameters(name)), None)

    def query_params(self, name: str) -> list[str]:
        self._read(f"query-params:{name}")
        return self._parameters(name)

    def _parameters(self, name: str) -> list[str]:
        pairs = [pair.partition("=") for pair in self._query.split("&") if pair]
        return [unquote_plus(value) for key, _, value in pairs if unquote_plus(key) == name]

    def path_param(self, name: str) -> str | None:
        return self._read(f"path-param:{name}").path_params.get(name)

    def scheme(self) -> str:
        return self._read("scheme").scheme

    def authority(self) -> str:
        return self._read("authority").authority

    def protocol(self) -> str:
        return self._read("protocol").protocol

    def header(self, name: str) -> str | None:
        return _joined(self._read(f"header:{name.lower()}").headers, name)

    def header_values(self, name: str) -> list[str]:
        return _values(self._read(f"header-values:{name.lower()}").headers, name)

    def headers(self) -> list[tuple[str, str]]:
        return _lower(self._read("headers").headers)

    def cookie(self, name: str) -> str | None:
        cookies = _joined(self._read(f"cookie:{name}").headers, "cookie") or ""
        pairs = (pair.strip().partition("=") for pair in cookies.split(";"))
        return next((value for key, equals, value in pairs if equals and key == name), None)

    def client_ip(self) -> str:
        return self._read("client-ip").client_ip

    def route(self) -> str:
        return self._read("route").route

    def id(self) -> str:
        return self._read("id").id

    def attribute(self, name: str) -> str | None:
        return self._read(f"attribute:{name}").attributes.get(name)

    def attributes(self) -> dict[str, str]:
        return dict(self._read("attributes").attributes)

    def response_status(self) -> int:
        return self._exchange.status

    def response_header(self, name: str) -> str | None:
        return _joined(self._exchange.response_headers, name)

    def response_header_values(self, name: str) -> list[str]:
        return _values(self._exchange.response_headers, name)

    def response_headers(self) -> list[tuple[str, str]]:
        return _lower(self._exchange.response_headers)

    def started(self) -> int:
        return round(self._exchange.started * 1e3)

    def duration(self) -> int:
        return round(self._exchange.duration * 1e6)

    def upstream_duration(self) -> int | None:
        duration = self._exchange.upstream_duration
        return None if duration is None else round(duration * 1e6)

    def request_bytes(self) -> int:
        return self._exchange.request_bytes

    def response_bytes(self) -> int:
        return self._exchange.response_bytes

    def verdict(self) -> str | None:
        return self._exchange.verdict

    def verdict_cached(self) -> bool:
        return self._exchange.verdict_cached

    def failure(self) -> str | None:
        return self._exchange.failure


def _values(headers: Headers, name: str) -> list[str]:
    return [value for key, value in fields(headers) if key.lower() == name.lower()]


def _joined(headers: Headers, name: str) -> str | None:
    values = _values(headers, name)
    return ("; " if name.lower() == "cookie" else ", ").join(values) if values else None


def _lower(headers: Headers) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in fields(headers)]


class _Bucket:
    """It is looked up at each call: a plugin may keep it for longer than a test its gateway."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _state(self) -> dict[str, bytes]:
        return _host.current.bucket(self._name)  # type: ignore[attr-defined,no-any-return]

    def get(self, key: str) -> bytes | None:
        return self._state().get(key)

    def set(self, key: str, value: Body) -> None:
        self._state()[key] = body_bytes(value)

    def delete(self, key: str) -> None:
        self._state().pop(key, None)

    def exists(self, key: str) -> bool:
        return key in self._state()

    def keys(self) -> list[str]:
        return list(self._state())

    def increment(self, key: str, delta: int = 1) -> int:
        try:
            total = int(self._state().get(key, b"0")) + delta
        except ValueError:
            raise StoreError("key-value store: not a number") from None
        self._state()[key] = str(total).encode()
        return total
