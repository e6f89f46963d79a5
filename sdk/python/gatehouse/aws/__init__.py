"""Runs a Lambda authorizer function of AWS API Gateway as an authorizer: the event that it expects in, a verdict out.

    Plugin = lambda_authorizer(Path(__file__).parent / "function", "lambda_function.lambda_handler")

What AWS says of events, results and outcomes: "Use API Gateway Lambda authorizers" (REST APIs) and "Control access to HTTP APIs with
AWS Lambda authorizers" in its developer guides.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..answer import Verdict
from ..config import Config
from ..exchange import Request
from ._event import Context, identities, lambda_event, method_arn
from ._function import Function
from ._outcome import unauthorized, verdict_of
from ._settings import settings_of

__all__ = ["lambda_authorizer"]

Handler = Callable[[Any, Any], Any]


def lambda_authorizer(folder: str | Path, handler: str = "lambda_function.lambda_handler") -> type:
    """The plugin of a function whose modules are in a folder; `handler` names module and function, as AWS's setting does.

    When the component is built, the folder's modules are only read; what they import from elsewhere is loaded. They run when an
    instance starts, with `os.environ` as configured.
    """
    return adapter(Function(folder, handler).load)


def adapter(load: Callable[[], Handler]) -> type:
    """The plugin of a function that is loaded when an instance starts."""

    class LambdaAuthorizer:
        def __init__(self, config: Config) -> None:
            self.settings = settings_of(config)
            os.environ.update(self.settings.environment)
            self.handler = load()

        def authorize(self, request: Request) -> Verdict:
            found = identities(request, self.settings)
            if found is None:
                return unauthorized()
            try:
                result = self.handler(lambda_event(request, self.settings, found), Context(request))
            except Exception as error:
                if str(error) == "Unauthorized":
                    return unauthorized()
                raise
            return verdict_of(result, self.settings, lambda: method_arn(request, self.settings))

    return LambdaAuthorizer
