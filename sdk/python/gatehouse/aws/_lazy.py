"""Dictionaries that read of the request only what is looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # For type checkers a dictionary is a mapping already.
    _Dict = dict[str, Any]
else:

    class _Dict(MutableMapping, dict):
        pass


class _Mapping(_Dict):
    """All methods are on top of the subclass's five. It is a dictionary too, as functions and the module json expect one."""

    def __init__(self) -> None:
        # The module json takes what is empty here for an empty dictionary.
        dict.__setitem__(self, "", None)

    def __bool__(self) -> bool:
        # AWS's are never empty, and to count the members would read them.
        return True

    def __repr__(self) -> str:
        return repr(self.copy())

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def copy(self) -> dict[str, Any]:
        return {name: value.copy() if isinstance(value, _Mapping) else value for name, value in self.items()}


class Lazy(_Mapping):
    """Members are made when they are looked at."""

    def __init__(self, **members: Callable[[], Any]) -> None:
        super().__init__()
        self._unread = members
        self._made: dict[str, Any] = {}
        self._names = dict.fromkeys(members)

    def __getitem__(self, name: str) -> Any:
        if name in self._unread:
            self._made[name] = self._unread.pop(name)()
        return self._made[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._unread.pop(name, None)
        self._names[name] = None
        self._made[name] = value

    def __delitem__(self, name: str) -> None:
        del self._names[name]
        self._unread.pop(name, None)
        self._made.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._names))

    def __len__(self) -> int:
        return len(self._names)


class Named(_Mapping):
    """Members are looked up one by one, by any name; what `read` does not know is not there."""

    def __init__(self, read: Callable[[str], Any], names: Callable[[], Iterable[str]] = list) -> None:
        super().__init__()
        self._read, self._listed = read, names
        self._own: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        value = self._own[name] if name in self._own else self._read(name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        self._own[name] = value

    def __delitem__(self, name: str) -> None:
        self[name] = None

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys([*self._listed(), *self._own])
        return iter([name for name in names if name in self])

    def __len__(self) -> int:
        return len(list(iter(self)))
