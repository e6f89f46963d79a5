"""The component's exports and imports, on top of what componentize-py generates of the plugin's world. Only there."""

from __future__ import annotations

import gc
import os
import random
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from componentize_py_types import Err

from . import _forms, _host, _imports, _logging, _plugin
from .answer import Abstain, Allow, Deny, Reply, RequestEdit, ResponseEdit
from .config import Config
from .exchange import Outcome, Request, Response


_types = _imports.generated("imports.gatehouse_types")
_lifecycle = _imports.generated("exports.lifecycle")
_authorizer = _imports.generated("exports.authorizer")
_request_filter = _imports.generated("exports.request_filter")
_request_body_filter = _imports.generated("exports.request_body_filter")
_response_filter = _imports.generated("exports.response_filter")
_response_body_filter = _imports.generated("exports.response_body_filter")

_request, _response, _outcome = Request(), Response(), Outcome()

_module: ModuleType
_manifest: Any
#: What has the hooks.
_hooks: Any


def load(module: ModuleType, hooks: list[str], name: str, version: str, description: str, schema: str | None) -> None:
    """Called once, when the component is built. What is in memory then is part of it."""
    global _module, _manifest
    _plugin.check(module, hooks)
    _module, _manifest = module, _lifecycle.Manifest(name, version, description, schema)
    _logging.install()
    # Standard output becomes lines of the log, as they come.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    # The collector need not look at what is there already.
    gc.collect()
    gc.freeze()


class Lifecycle:
    def describe(self) -> Any:
        return _manifest

    def init(self, config: str) -> None:
        global _hooks
        # The module's state is of the build: all instances would draw the same.
        random.seed()
        _host.current = _imports.Imports()  # type: ignore[assignment]
        try:
            _hooks = _plugin.start(_module, Config.parse(config))
        except ValueError as error:
            raise Err(_safe(str(error))) from None
        except BaseException as error:
            raise Err(_told(error)) from None


def _reported(hook: Callable[..., Any]) -> Callable[..., Any]:
    """A hook whose exceptions are errors of the contract."""

    def report(self: object, *arguments: Any) -> Any:
        try:
            return hook(*arguments)
        except BaseException as error:
            raise Err(_told(error)) from None

    return report


def _told(error: BaseException) -> str:
    """An exception with the innermost place in the plugin's own code."""
    own, sdk = (os.path.dirname(str(file)) + "/" for file in (_module.__file__, __file__))
    place, trace = "", error.__traceback__
    while trace:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(own) and not file.startswith(sdk):
            place = f" ({file.removeprefix(own)}:{trace.tb_lineno})"
        trace = trace.tb_next
    return _safe(f"{type(error).__name__}: {error}{place}")


def _safe(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


class Authorizer:
    @_reported
    def authorize() -> Any:  # type: ignore[misc]
        verdict = _hooks.authorize(_request)
        if isinstance(verdict, Allow):
            principal, age = _forms.optional(verdict.principal), _age(verdict.max_age)
            grant = _authorizer.Grant(principal, _attributes(verdict.attributes), _edits(verdict), age)
            return _authorizer.Verdict_Allow(grant)
        if isinstance(verdict, Deny):
            reason, age = _forms.optional(verdict.reason), _age(verdict.max_age)
            return _authorizer.Verdict_Deny(_authorizer.Denial(*_answer(verdict), reason, age))
        if isinstance(verdict, Abstain):
            return _authorizer.Verdict_Abstain()
        raise TypeError(f"`authorize` has returned no verdict but {type(verdict).__name__}")


class RequestFilter:
    @_reported
    def on_request() -> Any:  # type: ignore[misc]
        action, kinds = _hooks.on_request(_request), _request_filter
        if action is None:
            return kinds.RequestAction_Unchanged()
        if isinstance(action, RequestEdit) and action.body is None:
            return kinds.RequestAction_Edit(_request_edit(action))
        return kinds.RequestAction_Respond(_reply(action, "on_request"))


class RequestBodyFilter:
    def request_body_limit(self) -> int | None:
        return _limit("request_body_limit", _request)

    @_reported
    def on_request_body(body: bytes) -> Any:  # type: ignore[misc]
        action, kinds = _hooks.on_request_body(_request, body), _request_body_filter
        if action is None:
            return kinds.RequestBodyAction_Unchanged()
        if isinstance(action, RequestEdit):
            return kinds.RequestBodyAction_Edit(kinds.RequestBodyEdit(_request_edit(action), _body(action.body)))
        return kinds.RequestBodyAction_Respond(_reply(action, "on_request_body"))


class RequestChunkFilter:
    @_reported
    def on_request_chunk(chunk: bytes, last: bool) -> Any:  # type: ignore[misc]
        return _chunk_action(_hooks.on_request_chunk(_request, chunk, last), "on_request_chunk")


class ResponseFilter:
    @_reported
    def on_response() -> Any:  # type: ignore[misc]
        action, kinds = _hooks.on_response(_request, _response), _response_filter
        if action is None:
            return kinds.ResponseAction_Unchanged()
        if isinstance(action, ResponseEdit) and action.body is None:
            return kinds.ResponseAction_Edit(_response_edit(action))
        return kinds.ResponseAction_Replace(_reply(action, "on_response"))


class ResponseBodyFilter:
    def response_body_limit(self) -> int | None:
        return _limit("response_body_limit", _request, _response)

    @_reported
    def on_response_body(body: bytes) -> Any:  # type: ignore[misc]
        action, kinds = _hooks.on_response_body(_request, _response, body), _response_body_filter
        if action is None:
            return kinds.ResponseBodyAction_Unchanged()
        if isinstance(action, ResponseEdit):
            return kinds.ResponseBodyAction_Edit(kinds.ResponseBodyEdit(_response_edit(action), _body(action.body)))
        return kinds.ResponseBodyAction_Replace(_reply(action, "on_response_body"))


class ResponseChunkFilter:
    @_reported
    def on_response_chunk(chunk: bytes, last: bool) -> Any:  # type: ignore[misc]
        return _chunk_action(_hooks.on_response_chunk(_request, _response, chunk, last), "on_response_chunk")


class Logger:
    @_reported
    def log() -> None:  # type: ignore[misc]
        _hooks.log(_request, _response, _outcome)


def _limit(name: str, *arguments: Any) -> int | None:
    function = getattr(_hooks, name, None)
    limit = function(*arguments) if function else (1 << 64) - 1
    return None if limit is None else _forms.number(limit, 64)


def _chunk_action(action: Any, hook: str) -> Any:
    if action is None:
        return _types.ChunkAction_Unchanged()
    if isinstance(action, (bytes, bytearray, memoryview, str)):
        return _types.ChunkAction_Replace(_forms.body_bytes(action))
    return _types.ChunkAction_Respond(_reply(action, hook))


def _reply(action: Any, hook: str) -> Any:
    if not isinstance(action, Reply):
        what = "an edit with a body" if isinstance(action, (RequestEdit, ResponseEdit)) else type(action).__name__
        raise TypeError(f"`{hook}` can not return {what}")
    return _types.Reply(*_answer(action))


def _answer(answer: Deny | Reply) -> tuple[int, list[Any], bytes]:
    headers, body = _forms.to_json(_forms.fields(answer.headers), answer.body, answer.json)
    return _forms.number(answer.status, 16), [_types.Header(name, value) for name, value in headers], body


def _request_edit(edit: RequestEdit) -> Any:
    parts = (_forms.optional(part) for part in (edit.method, edit.path, edit.query))
    return _types.RequestEdit(*parts, _edits(edit), _attributes(edit.attributes))


def _response_edit(edit: ResponseEdit) -> Any:
    status = None if edit.status is None else _forms.number(edit.status, 16)
    return _types.ResponseEdit(status, _edits(edit), _attributes(edit.attributes))


def _edits(changes: Allow | RequestEdit | ResponseEdit) -> list[Any]:
    edits = [_types.HeaderEdit_Remove(name) for name in _forms.names(changes.remove_headers)]
    # The first of several fields of one name takes the place of all that were there.
    seen: set[str] = set()
    for name, value in _forms.fields(changes.set_headers):
        kind = _types.HeaderEdit_Append if name.lower() in seen else _types.HeaderEdit_Set
        edits.append(kind(_types.Header(name, value)))
        seen.add(name.lower())
    edits.extend(_types.HeaderEdit_Append(_types.Header(*field)) for field in _forms.fields(changes.append_headers))
    return edits


def _attributes(attributes: Mapping[str, str]) -> list[Any]:
    return [_types.Attribute(_forms.text(name), _forms.text(value)) for name, value in attributes.items()]


def _body(body: Any) -> bytes | None:
    return None if body is None else _forms.body_bytes(body)


def _age(age: int | None) -> int | None:
    return None if age is None else _forms.number(age, 32)
