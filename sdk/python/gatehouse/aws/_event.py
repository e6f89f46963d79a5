"""The events that AWS gives to functions. They are lazy: what a function does not look at is not read, so it is no part of the key
under which the verdict is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

from ..exchange import Request
from ._lazy import Lazy, Named
from ._settings import Settings

Values = Callable[[list[str]], Any]


def identities(request: Request, settings: Settings) -> list[str] | None:
    """The identities, in the order of their sources. `None`: one is missing, and the function is not asked."""
    context = _context2 if settings.payload == "2.0" else _context1
    found = [source(request, lambda: context(request, settings)) for source in settings.sources]
    if any(identity is None or identity == "" for identity in found):
        return None
    if settings.type == "TOKEN" and settings.validation and not settings.validation.fullmatch(found[0]):
        return None
    return found


def arn_of_stage(settings: Settings) -> str:
    """The part of the ARN that is the same for all requests."""
    return f"arn:aws:execute-api:{settings.region}:{settings.account_id}:{settings.api_id}/{settings.stage}/"


def method_arn(request: Request, settings: Settings) -> str:
    return f"{arn_of_stage(settings)}{request.method}{request.path}"


def lambda_event(request: Request, settings: Settings, found: list[str]) -> dict[str, Any]:
    if settings.type == "TOKEN":
        return Lazy(
            type=lambda: "TOKEN",
            authorizationToken=lambda: found[0],
            methodArn=lambda: method_arn(request, settings),
        )
    return _event2(request, settings, found) if settings.payload == "2.0" else _event1(request, settings)


def _event1(request: Request, settings: Settings) -> Lazy:
    return Lazy(
        version=lambda: "1.0",
        type=lambda: "REQUEST",
        methodArn=lambda: method_arn(request, settings),
        resource=lambda: request.route,
        path=lambda: request.path,
        httpMethod=lambda: request.method,
        headers=lambda: _headers(request, lambda values: values[-1]),
        multiValueHeaders=lambda: _headers(request, lambda values: values),
        queryStringParameters=lambda: _query(request, lambda values: values[-1]),
        multiValueQueryStringParameters=lambda: _query(request, lambda values: values),
        pathParameters=lambda: Named(request.path_param),
        stageVariables=lambda: settings.stage_variables,
        requestContext=lambda: _context1(request, settings),
    )


def _context1(request: Request, settings: Settings) -> Lazy:
    return Lazy(
        path=lambda: request.path,
        accountId=lambda: settings.account_id,
        resourceId=lambda: request.route,
        stage=lambda: settings.stage,
        domainName=lambda: request.authority,
        requestId=lambda: request.id,
        identity=lambda: Lazy(
            sourceIp=lambda: request.client_ip,
            userAgent=lambda: request.header("user-agent"),
            apiKey=lambda: request.header("x-api-key"),
        ),
        resourcePath=lambda: request.route,
        httpMethod=lambda: request.method,
        protocol=lambda: request.protocol,
        apiId=lambda: settings.api_id,
    )


def _event2(request: Request, settings: Settings, found: list[str]) -> Lazy:
    return Lazy(
        version=lambda: "2.0",
        type=lambda: "REQUEST",
        routeArn=lambda: method_arn(request, settings),
        identitySource=lambda: found or None,
        routeKey=lambda: request.route,
        rawPath=lambda: request.path,
        rawQueryString=lambda: request.query or "",
        cookies=lambda: _cookies(request),
        headers=lambda: _headers(request, ",".join),
        queryStringParameters=lambda: _query(request, ",".join),
        requestContext=lambda: _context2(request, settings),
        pathParameters=lambda: Named(request.path_param),
        stageVariables=lambda: settings.stage_variables,
    )


def _context2(request: Request, settings: Settings) -> Lazy:
    return Lazy(
        accountId=lambda: settings.account_id,
        apiId=lambda: settings.api_id,
        domainName=lambda: request.authority,
        domainPrefix=lambda: request.authority.split(".")[0],
        http=lambda: Lazy(
            method=lambda: request.method,
            path=lambda: request.path,
            protocol=lambda: request.protocol,
            sourceIp=lambda: request.client_ip,
            userAgent=lambda: request.header("user-agent") or "",
        ),
        requestId=lambda: request.id,
        routeKey=lambda: request.route,
        stage=lambda: settings.stage,
        timeEpoch=lambda: int(time.time() * 1000),
    )


class Context:
    """The second argument of a function."""

    function_name = "authorizer"
    function_version = "$LATEST"
    memory_limit_in_mb = "128"

    def __init__(self, request: Request) -> None:
        self._request = request

    @property
    def aws_request_id(self) -> str:
        return self._request.id

    def get_remaining_time_in_millis(self) -> int:
        """The gateway ends a hook that takes too long; there is no clock to look at before."""
        return 1000


def _headers(request: Request, value: Values) -> Named:
    """Headers by their names, in whatever case they are asked for. Who lists them gets lower case."""

    def one(name: str) -> Any:
        values = request.header_values(name.lower())
        return value(values) if values else None

    return Named(one, lambda: [name for name, _ in request.headers()])


def _query(request: Request, value: Values) -> dict[str, Any] | None:
    """`None` without a query."""
    if not request.query:
        return None
    names = dict.fromkeys(unquote_plus(pair.partition("=")[0]) for pair in request.query.split("&") if pair)
    return {name: value(values) for name in names if (values := request.query_params(name))}


def _cookies(request: Request) -> list[str] | None:
    cookies = request.header("cookie")
    return None if cookies is None else [cookie.strip() for cookie in cookies.split(";")]
