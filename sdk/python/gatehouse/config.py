"""What the operator writes under `[plugins.NAME.config]`, and how it becomes a dataclass."""

from __future__ import annotations

import dataclasses
import json
import types
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class ConfigError(ValueError):
    """A configuration that is refused; the text is for the operator."""


class Config(dict[str, Any]):
    """The configuration as a dictionary of what JSON has: strings, numbers, lists and the like."""

    @classmethod
    def parse(cls, text: str) -> Config:
        """Of JSON text."""
        return cls(json.loads(text))

    def read(self, kind: type[T]) -> T:
        """As a dataclass, strictly: a key that it does not have, one that is missing, and a value of another type is refused.

        Fields may be strings, numbers, booleans, `Any`, `Literal`, optional, other dataclasses, and lists, tuples and dictionaries
        of those.
        """
        return _read(kind, dict(self), "")  # type: ignore[no-any-return]


_NAMES = {str: "a string", bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a table"}


def _read(kind: Any, value: Any, at: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _table(kind, _checked(dict, value, at), at)
    if origin is list:
        return [_read(inner[0], item, f"{at}[{index}]") for index, item in enumerate(_checked(list, value, at))]
    if origin is tuple and inner[1:] == (...,):
        return tuple(_read(list[inner[0]], value, at))  # type: ignore[valid-type]
    if origin is dict:
        return {key: _read(inner[1], item, _below(at, key)) for key, item in _checked(dict, value, at).items()}
    if origin is Literal:
        if value not in inner:
            raise ConfigError(f"`{at}` is one of {', '.join(map(repr, inner))}")
        return value
    if origin in (Union, types.UnionType):
        return _any_of(inner, value, at)
    if kind is type(None):
        kind = object
    return _checked(kind, value, at)


def _table(kind: Any, table: dict[str, Any], at: str) -> Any:
    hints, fields = get_type_hints(kind), {field.name: field for field in dataclasses.fields(kind) if field.init}
    for key in table:
        if key not in fields:
            raise ConfigError(f"there is no `{_below(at, key)}`: it may have {', '.join(f'`{name}`' for name in fields)}")
    for name, field in fields.items():
        missing = dataclasses.MISSING
        if name not in table and field.default is missing and field.default_factory is missing:
            what = _NAMES.get(hints[name])
            raise ConfigError(f"`{_below(at, name)}` is missing" + (f": it is {what}" if what else ""))
    return kind(**{key: _read(hints[key], value, _below(at, key)) for key, value in table.items()})


def _any_of(kinds: tuple[Any, ...], value: Any, at: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    for kind in kinds[:-1]:
        try:
            return _read(kind, value, at)
        except ConfigError:
            pass
    return _read(kinds[-1], value, at)


def _checked(kind: Any, value: Any, at: str) -> Any:
    # For JSON 1 is a number with a point too; for Python True is a number.
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise ConfigError(f"`{at}` is {_NAMES.get(kind, kind)}" if at else f"the configuration is {_NAMES.get(kind, kind)}")
    return value


def _below(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name
