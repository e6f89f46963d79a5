"""What there is to read of an exchange. The objects hold nothing: each read asks the gateway."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from . import _host

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Request:
    """The request that is being served, as the plugins before this one have left it.

    While an authorizer runs, exactly what is read becomes the key under which its verdict is kept. A header's value is a string
    whose characters stand for the bytes of the same number; plain text stays plain text.
    """

    __slots__ = ()

    @property
    def method(self) -> str:
        """The method: `GET`."""
        return _host.current.method()

    @property
    def path(self) -> str:
        """The path in canonical form, without the query: the very string that routes are matched against."""
        return _host.current.path()

    @property
    def query(self) -> str | None:
        """The query as sent, without the question mark."""
        return _host.current.query()

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return _host.current.scheme()

    @property
    def authority(self) -> str:
        """The host, and port if any, that the client asked for, in lower case."""
        return _host.current.authority()

    @property
    def protocol(self) -> str:
        """`HTTP/1.1` or `HTTP/2.0`."""
        return _host.current.protocol()

    @property
    def client_ip(self) -> str:
        """The address of the client, without the port."""
        return _host.current.client_ip()

    @property
    def route(self) -> str:
        """The name of the matched route."""
        return _host.current.route()

    @property
    def id(self) -> str:
        """The id of this exchange. It differs in every request: an authorizer that reads it gets no caching."""
        return _host.current.id()

    def query_param(self, name: str) -> str | None:
        """The first value of a query parameter, decoded."""
        return _host.current.query_param(name)

    def query_params(self, name: str) -> list[str]:
        """All values of a query parameter, decoded."""
        return _host.current.query_params(name)

    def path_param(self, name: str) -> str | None:
        """What the route's path template caught: for `/pets/{id}`, `path_param("id")`."""
        return _host.current.path_param(name)

    def header(self, name: str) -> str | None:
        """The value of a header; of several fields with that name all values, joined by `, `."""
        return _host.current.header(name)

    def header_values(self, name: str) -> list[str]:
        """The values of all header fields with that name."""
        return _host.current.header_values(name)

    def headers(self) -> list[tuple[str, str]]:
        """All header fields, names in lower case. For an authorizer this makes every header part of the key."""
        return _host.current.headers()

    def cookie(self, name: str) -> str | None:
        """The value of a cookie."""
        return _host.current.cookie(name)

    def bearer(self) -> str | None:
        """The token of `Authorization: Bearer TOKEN`."""
        scheme, _, token = (self.header("authorization") or "").partition(" ")
        token = token.strip(" \t")
        return token if scheme.lower() == "bearer" and token else None

    def attribute(self, name: str) -> str | None:
        """An attribute by its full name: `auth.principal`, `PLUGIN.name`. No client and no upstream can set one."""
        return _host.current.attribute(name)

    def attributes(self) -> dict[str, str]:
        """All attributes set so far."""
        return _host.current.attributes()


class Response:
    """The response that is on its way to the client."""

    __slots__ = ()

    @property
    def status(self) -> int:
        """The status code."""
        return _host.current.response_status()

    def header(self, name: str) -> str | None:
        """The value of a header; of several fields with that name all values, joined by `, `."""
        return _host.current.response_header(name)

    def header_values(self, name: str) -> list[str]:
        """The values of all header fields with that name."""
        return _host.current.response_header_values(name)

    def headers(self) -> list[tuple[str, str]]:
        """All header fields, names in lower case."""
        return _host.current.response_headers()


class Outcome:
    """What has become of the exchange. Times are in seconds."""

    __slots__ = ()

    @property
    def started(self) -> datetime:
        """When the request's header section had arrived, in UTC."""
        return _EPOCH + timedelta(milliseconds=_host.current.started())

    @property
    def duration(self) -> float:
        """From then until the last byte of the answer was handed to the connection."""
        return _host.current.duration() / 1e6

    @property
    def upstream_duration(self) -> float | None:
        """From handing the request to the upstream until its header section came back."""
        microseconds = _host.current.upstream_duration()
        return None if microseconds is None else microseconds / 1e6

    @property
    def request_bytes(self) -> int:
        """Bytes of the request's body that were read from the client."""
        return _host.current.request_bytes()

    @property
    def response_bytes(self) -> int:
        """Bytes of the response's body that were handed to the connection."""
        return _host.current.response_bytes()

    @property
    def verdict(self) -> str | None:
        """`allow` or `deny`; none when the route has no authorizer or it was not reached."""
        return _host.current.verdict()

    @property
    def verdict_cached(self) -> bool:
        """Whether every verdict came from the cache."""
        return _host.current.verdict_cached()

    @property
    def failure(self) -> str | None:
        """The code of the failure that ended the exchange."""
        return _host.current.failure()
