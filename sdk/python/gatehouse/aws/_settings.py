"""What the operator configures: what AWS keeps beside a function when it is made an authorizer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from ..config import Config, ConfigError
from ..exchange import Request

_SOURCE = re.compile(r"\$?(?:(?:method\.)?request\.(?=header|querystring))?(header|querystring|context|stageVariables)\.(.+)")

_TTL = {"1.0": 300, "2.0": 0}

#: Reads an identity; the event's context is made only for those that need it.
Source = Callable[[Request, Callable[[], Any]], Any]


@dataclass
class Settings:
    type: Literal["REQUEST", "TOKEN"] = "REQUEST"
    payload: Literal["1.0", "2.0"] = "1.0"
    identity_sources: list[str] | None = None
    identity_validation: str | None = None
    ttl: int | None = None
    region: str = "local"
    account_id: str = "000000000000"
    api_id: str = "gatehouse"
    stage: str = "$default"
    stage_variables: dict[str, str] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    sources: list[Source] = field(default_factory=list, init=False)
    validation: re.Pattern[str] | None = field(default=None, init=False)
    #: Seconds for which a verdict is kept.
    max_age: int = field(default=0, init=False)


def settings_of(config: Config) -> Settings:
    settings = config.read(Settings)
    is_token = settings.type == "TOKEN"
    if is_token and settings.payload == "2.0":
        raise ConfigError("`payload` is 2.0: a TOKEN authorizer has no versions of events")
    sources = settings.identity_sources
    if sources is None:
        sources = ["method.request.header.Authorization"] if is_token else []
    if is_token and len(sources) != 1:
        raise ConfigError("`identity_sources` of a TOKEN authorizer is one header")
    settings.sources = [_source(text, settings) for text in sources]
    if settings.identity_validation is not None:
        try:
            settings.validation = re.compile(settings.identity_validation)
        except re.error as error:
            raise ConfigError(f"`identity_validation` is no regular expression: {error}") from None
    settings.max_age = _TTL[settings.payload] if settings.ttl is None else settings.ttl
    if not 0 <= settings.max_age <= 3600:
        raise ConfigError("`ttl` is a number of seconds from 0 to 3600")
    return settings


def _source(text: str, settings: Settings) -> Source:
    """`method.request.header.NAME` of REST APIs and `$request.header.NAME` of HTTP APIs are the same."""
    match = _SOURCE.fullmatch(text)
    if match is None:
        raise ConfigError(f"`identity_sources`: {text} is no source that there is")
    kind, name = match.groups()
    if kind == "header":
        return lambda request, context: request.header(name)
    if kind == "querystring":
        return lambda request, context: request.query_param(name)
    if kind == "stageVariables":
        return lambda request, context: (settings.stage_variables or {}).get(name)

    def of_context(request: Request, context: Callable[[], Any]) -> Any:
        # Of the event's own context, so that it means the same in both.
        value = context()
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    return of_context
