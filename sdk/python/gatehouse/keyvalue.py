"""State that the instances of a plugin share. Needs `asks = ["keyvalue"]` in plugin.toml and the grant."""

from __future__ import annotations

from typing import Protocol

from . import _host
from .answer import Body


class StoreError(Exception):
    """The state could not be read or changed."""


class Bucket(Protocol):
    """A collection of keys and values. Plugins do not see each other's."""

    def get(self, key: str) -> bytes | None:
        """The value, or none."""

    def set(self, key: str, value: Body) -> None:
        """Fails when the state would outgrow the plugin's `limits.keyvalue_bytes`."""

    def delete(self, key: str) -> None:
        """Nothing happens when it is not there."""

    def exists(self, key: str) -> bool:
        """Whether it is there."""

    def keys(self) -> list[str]:
        """In no particular order."""

    def increment(self, key: str, delta: int = 1) -> int:
        """Adds to a number in one step and gives the sum; an absent key counts as 0."""


def open_bucket(name: str) -> Bucket:
    """Opens a bucket by its name, in a hook; a new one is empty."""
    return _host.current.open_bucket(name)
