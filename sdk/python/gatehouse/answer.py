"""What hooks return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Union

#: By name, with a list for several fields of one name, or pairs. A character of a value above U+00FF is a fault.
Headers = Union[Mapping[str, Union[str, list[str]]], Iterable[tuple[str, str]]]

#: Text is sent as UTF-8.
Body = Union[bytes, bytearray, memoryview, str]


@dataclass(frozen=True, kw_only=True)
class _Changes:
    #: For later plugins, upstream header mappings and logs. A name is letters, digits, `_`, `-` and `.`; structured values are
    #: JSON text.
    attributes: Mapping[str, str] = field(default_factory=dict)
    #: All fields of these names go. Removals come first, then `set_headers`, then `append_headers`.
    remove_headers: Iterable[str] = ()
    #: Take the place of all fields of their names.
    set_headers: Headers = ()
    #: Come after the fields of the same name.
    append_headers: Headers = ()


@dataclass(frozen=True)
class Allow(_Changes):
    """The request may pass. Headers are those of the request that goes upstream; attributes get the prefix `auth.`."""

    #: Who it is, if it is known: it becomes the attribute `auth.principal`.
    principal: str | None = None
    #: For how many seconds the verdict holds for a request with the same values in everything that was read; 0: not at all.
    #: Without it the operator's default holds, unless the decision also used the clock, randomness, the network or key-value
    #: state: then the verdict is not kept.
    max_age: int | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class _Answer:
    #: 200 to 599; of a refusal 400 to 599.
    status: int
    headers: Headers = field(default=(), kw_only=True)
    body: Body = field(default=b"", kw_only=True)
    #: In the place of `body`: any value that the module json writes.
    json: Any = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Reply(_Answer):
    """A whole answer to the client in the place of what was coming."""


@dataclass(frozen=True)
class Deny(_Answer):
    """The request may not pass: it gets exactly this answer."""

    #: Why, for the log; the client never sees it.
    reason: str | None = field(default=None, kw_only=True)
    #: As of `Allow`.
    max_age: int | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Abstain:
    """"Not my scheme": the next authorizer of the route is asked. When all abstain, the answer is 401."""


@dataclass(frozen=True, kw_only=True)
class RequestEdit(_Changes):
    """Changes to a request. Only what is given is changed. Attributes get the plugin's name and a dot as prefix."""

    method: str | None = None
    #: Begins with `/`. The route stays the one matched.
    path: str | None = None
    #: Without the question mark; the empty string removes it.
    query: str | None = None
    #: The new body, for `on_request_body` only.
    body: Body | None = None


@dataclass(frozen=True, kw_only=True)
class ResponseEdit(_Changes):
    """Changes to a response. Only what is given is changed. Attributes get the plugin's name and a dot as prefix."""

    #: 200 to 599.
    status: int | None = None
    #: The new body, for `on_response_body` only.
    body: Body | None = None


#: What an authorizer says.
Verdict = Union[Allow, Deny, Abstain]

#: What becomes of a request or a response: unchanged (`None`), an edit, an answer.
RequestAction = Union[RequestEdit, Reply, None]
ResponseAction = Union[ResponseEdit, Reply, None]

#: What goes on in a piece's place: itself (`None`), these bytes (when they are empty, nothing for now), an answer.
ChunkAction = Union[Body, Reply, None]
