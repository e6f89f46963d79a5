"""What plugins give in several forms, as the contract has it. All are checked here: the generated bindings end the instance when
something is not of the contract's type."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .answer import Body, Headers


def text(value: Any) -> str:
    """A string that is text."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no string")
    # Half of a pair of surrogates is no character.
    value.encode()
    return value


def optional(value: Any) -> str | None:
    return None if value is None else text(value)


def number(value: Any, bits: int) -> int:
    """A whole number, 0 or more, in so many bits."""
    if not isinstance(value, int) or not 0 <= value < 1 << bits:
        raise ValueError(f"{value!r} is no number of {bits} bits")
    return int(value)


def body_bytes(body: Body) -> bytes:
    """A body; text as UTF-8."""
    if isinstance(body, str):
        return body.encode()
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise TypeError(f"a body is bytes or text, not {type(body).__name__}")
    return bytes(body)


def fields(headers: Headers) -> list[tuple[str, str]]:
    """Header fields as pairs."""
    if not isinstance(headers, Mapping):
        return [(text(name), text(value)) for name, value in headers]
    pairs: list[tuple[str, str]] = []
    for name, value in headers.items():
        values: Iterable[str] = [value] if isinstance(value, str) else value
        pairs.extend((text(name), text(one)) for one in values)
    return pairs


def names(headers: Iterable[str]) -> list[str]:
    """Names of headers: one alone is not taken for its letters."""
    return [text(name) for name in ([headers] if isinstance(headers, str) else headers)]


def to_json(headers: list[tuple[str, str]], body: Body, value: Any) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body of a message, the latter of a value if there is one."""
    if value is None:
        return headers, body_bytes(body)
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers = [*headers, ("content-type", "application/json")]
    return headers, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
