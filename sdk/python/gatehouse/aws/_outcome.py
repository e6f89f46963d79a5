"""What AWS makes of a function's result."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..answer import Allow, Deny, Verdict
from ._event import arn_of_stage
from ._policy import decide
from ._settings import Settings


def unauthorized() -> Deny:
    """No identity, or the function has said `Unauthorized`. AWS keeps neither."""
    return Deny(401, json={"message": "Unauthorized"}, max_age=0)


def _forbidden(settings: Settings, explicitly: bool) -> Deny:
    words = "User is not authorized to access this resource" + (" with an explicit deny" if explicitly else "")
    body = {"message": "Forbidden"} if settings.payload == "2.0" else {"Message": words}
    return Deny(403, json=body, max_age=settings.max_age)


def verdict_of(result: Any, settings: Settings, arn: Callable[[], str]) -> Verdict:
    """The verdict; what is no result is an error, for which AWS answers 500. `arn` gives that of the request."""
    if not isinstance(result, dict):
        raise TypeError("the function returned no dictionary")
    if settings.payload == "2.0" and "isAuthorized" in result:
        return _simple(result, settings)
    principal = result.get("principalId")
    if not isinstance(principal, str):
        raise TypeError("the function's `principalId` is no string")
    decision = decide(result.get("policyDocument"), arn_of_stage(settings), arn)
    if decision != "Allow":
        return _forbidden(settings, decision == "Deny")
    attributes = _attributes(result.get("context"), _scalar)
    key = result.get("usageIdentifierKey")
    if key is not None:
        attributes["usageIdentifierKey"] = key
    return Allow(principal, attributes=attributes, max_age=settings.max_age)


def _simple(result: dict[str, Any], settings: Settings) -> Verdict:
    is_authorized = result["isAuthorized"]
    if not isinstance(is_authorized, bool):
        raise TypeError("the function's `isAuthorized` is neither true nor false")
    if not is_authorized:
        return _forbidden(settings, False)
    return Allow(attributes=_attributes(result.get("context"), _json), max_age=settings.max_age)


def _attributes(context: Any, text: Callable[[Any, str], str]) -> dict[str, str]:
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise TypeError("the function's `context` is no dictionary")
    return {name: text(value, name) for name, value in context.items()}


def _scalar(value: Any, name: str) -> str:
    if isinstance(value, (str, int, float)):
        return _json(value, name)
    raise TypeError(f"the function's `context.{name}` is neither a string, a number, true nor false")


def _json(value: Any, name: str) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
