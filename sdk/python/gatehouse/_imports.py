"""The component's imports, as the rest of the SDK asks them. Most are the contract's own functions."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any, TypeVar

from componentize_py_types import Err

from . import _forms
from .answer import Body
from .http import Answer, Error, Sent
from .keyvalue import StoreError

T = TypeVar("T")


def generated(name: str) -> Any:
    """A module of the bindings; none when it is not of the plugin's world."""
    try:
        return importlib.import_module(f"wit_world.{name}")
    except ModuleNotFoundError:
        return None


def _asked(module: T, ask: str) -> T:
    if module is None:
        raise RuntimeError(f'the code needs what plugin.toml does not have: asks = ["{ask}"]')
    return module


_request, _response = generated("imports.request"), generated("imports.response")
_attributes, _outcome, _log = (generated(f"imports.{name}") for name in ("attributes", "outcome", "log"))
_output, _store, _atomics = (generated(f"imports.{name}") for name in ("output", "store", "atomics"))
_http, _handler, _streams = (generated(f"imports.{name}") for name in ("http_types", "outgoing_handler", "streams"))

_LEVELS = list(_log.Level)


def _pairs(fields: Iterable[Any]) -> list[tuple[str, str]]:
    return [(field.name, field.value) for field in fields]


class Imports:
    method, path, query = (staticmethod(function) for function in (_request.method, _request.path, _request.query))
    query_param, query_params = staticmethod(_request.query_param), staticmethod(_request.query_params)
    path_param, scheme = staticmethod(_request.path_param), staticmethod(_request.scheme)
    authority, protocol = staticmethod(_request.authority), staticmethod(_request.protocol)
    header, header_values = staticmethod(_request.header), staticmethod(_request.header_values)
    cookie, client_ip = staticmethod(_request.cookie), staticmethod(_request.client_ip)
    route, id = staticmethod(_request.route), staticmethod(_request.id)
    attribute = staticmethod(_attributes.get)
    response_status, response_header = staticmethod(_response.status), staticmethod(_response.header)
    response_header_values = staticmethod(_response.header_values)
    started, duration = staticmethod(_outcome.started), staticmethod(_outcome.duration)
    upstream_duration, failure = staticmethod(_outcome.upstream_duration), staticmethod(_outcome.failure)
    request_bytes, response_bytes = staticmethod(_outcome.request_bytes), staticmethod(_outcome.response_bytes)
    verdict, verdict_cached = staticmethod(_outcome.verdict), staticmethod(_outcome.verdict_cached)

    def headers(self) -> list[tuple[str, str]]:
        return _pairs(_request.headers())

    def response_headers(self) -> list[tuple[str, str]]:
        return _pairs(_response.headers())

    def attributes(self) -> dict[str, str]:
        return dict(_pairs(_attributes.all()))

    def log_enabled(self, level: int) -> bool:
        return bool(_log.enabled(_LEVELS[level]))

    def log_write(self, level: int, message: str) -> None:
        _log.write(_LEVELS[level], message.encode(errors="backslashreplace").decode())

    def write_line(self, line: str) -> bool:
        return bool(_asked(_output, "output").write_line(_forms.text(line)))

    def open_bucket(self, name: str) -> Bucket:
        return Bucket(_stored(_asked(_store, "keyvalue").open, _forms.text(name)))

    def send(self, request: Sent) -> Answer:
        _asked(_http, "http")
        try:
            with ExitStack() as handles:
                return _send(request, handles)
        except Err as error:
            raise Error(_words(error.value)) from None


def _stored(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Err as error:
        raise StoreError(f"key-value store: {_words(error.value)}") from None


class Bucket:
    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def get(self, key: str) -> bytes | None:
        return _stored(self._handle.get, _forms.text(key))  # type: ignore[no-any-return]

    def set(self, key: str, value: Body) -> None:
        _stored(self._handle.set, _forms.text(key), _forms.body_bytes(value))

    def delete(self, key: str) -> None:
        _stored(self._handle.delete, _forms.text(key))

    def exists(self, key: str) -> bool:
        return bool(_stored(self._handle.exists, _forms.text(key)))

    def keys(self) -> list[str]:
        return list(_stored(self._handle.list_keys, None).keys)

    def increment(self, key: str, delta: int = 1) -> int:
        if not -(1 << 63) <= delta < 1 << 63:
            raise ValueError(f"{delta} has more than 64 bits")
        return int(_stored(_atomics.increment, self._handle, _forms.text(key), delta))


def _words(error: Any) -> str:
    """`ErrorCode_HttpRequestDenied` as words, with what it says."""
    name = type(error).__name__.rpartition("_")[2]
    said = getattr(error, "value", None)
    if name == "Other":
        return str(said)
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower() if error is not None else "the request is malformed"
    return f"{words}: {said}" if said is not None else words


#: What a call of the stream takes at the most.
_PIECE = 4096


def _send(request: Sent, handles: ExitStack) -> Answer:
    headers = _http.Fields.from_list([(name, value.encode("latin-1")) for name, value in request.headers])
    outgoing = _http.OutgoingRequest(headers)
    outgoing.set_method(_named("Method", request.method))
    outgoing.set_scheme(_named("Scheme", request.scheme))
    outgoing.set_authority(request.authority)
    outgoing.set_path_with_query(request.target)
    body = outgoing.body()
    answer = handles.enter_context(_handler.handle(outgoing, _options(request.timeout)))
    # After it was handed over: somebody has to take what is written.
    with body.write() as stream:
        for start in range(0, len(request.body), _PIECE):
            stream.blocking_write_and_flush(request.body[start : start + _PIECE])
    _http.OutgoingBody.finish(body, None)
    with answer.subscribe() as ready:
        ready.block()
    outer = answer.get()
    inner = outer.value
    if isinstance(inner, Err):
        raise inner
    incoming = handles.enter_context(inner.value)
    with incoming.headers() as fields:
        entries = [(name.lower(), value.decode("latin-1")) for name, value in fields.entries()]
    with incoming.consume() as whole, whole.stream() as stream:
        return Answer(incoming.status(), entries, _read(stream, request.limit))


def _named(kind: str, name: str) -> Any:
    """A method or scheme."""
    known = getattr(_http, f"{kind}_{name.capitalize()}", None)
    return known() if known and name.lower() != "other" else getattr(_http, f"{kind}_Other")(name)


def _options(timeout: float | None) -> Any:
    if timeout is None:
        return None
    options, nanoseconds = _http.RequestOptions(), max(0, int(timeout * 1e9))
    options.set_connect_timeout(nanoseconds)
    options.set_first_byte_timeout(nanoseconds)
    options.set_between_bytes_timeout(nanoseconds)
    return options


def _read(stream: Any, limit: int) -> bytes:
    whole = bytearray()
    try:
        while True:
            whole += stream.blocking_read(64 << 10)
            if len(whole) > limit:
                raise Error(f"the answer's body is longer than {limit} bytes")
    except Err as end:
        if isinstance(end.value, _streams.StreamError_Closed):
            return bytes(whole)
        with end.value.value as error:
            raise Error(error.to_debug_string()) from None
