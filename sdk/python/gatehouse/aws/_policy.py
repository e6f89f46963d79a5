"""What a policy says of a request (IAM JSON policy grammar, for the one action that API Gateway asks about)."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

_ACTION = "execute-api:invoke"

#: The longest ARN that AWS takes in a policy.
_LONGEST = 512


def decide(policy: Any, base: str, arn: Callable[[], str]) -> str | None:
    """`Allow`, `Deny`, or nothing where no statement is about the request.

    `base` is what the ARNs of all requests begin with; `arn` gives the request's own, and is asked only where a statement depends on
    it.
    """
    statements = _list(policy.get("Statement")) if isinstance(policy, dict) else []
    if not statements:
        raise TypeError("the function's `policyDocument` has no `Statement`")
    effects = [statement["Effect"] for statement in statements if _concerns(statement, base, arn)]
    return "Deny" if "Deny" in effects else next(iter(effects), None)


def _concerns(statement: Any, base: str, arn: Callable[[], str]) -> bool:
    if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
        raise TypeError("a statement's `Effect` is neither Allow nor Deny")
    for other in ("Condition", "NotAction", "NotResource", "Principal"):
        if other in statement:
            raise TypeError(f"a statement has `{other}`, which is not supported")
    actions, resources = (_texts(statement, name) for name in ("Action", "Resource"))
    if not any(_matches(pattern.lower(), _ACTION) for pattern in actions):
        return False
    return any(_matches_all(pattern, base) or _matches(pattern, arn()) for pattern in resources)


def _texts(statement: dict[str, Any], name: str) -> list[str]:
    values = _list(statement.get(name))
    if not values or not all(isinstance(value, str) and len(value) <= _LONGEST for value in values):
        raise TypeError(f"a statement's `{name}` is no text of at most {_LONGEST} characters")
    return values


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _matches_all(pattern: str, base: str) -> bool:
    """Whether a pattern is one for all requests, so that it need not be known which one this is."""
    return pattern.endswith("*") and any(_matches(pattern[:-1], base[:length]) for length in range(len(base) + 1))


def _matches(pattern: str, text: str) -> bool:
    """`*` stands for any characters, `/` among them, and `?` for one."""
    # For the library a bracket begins a set.
    return fnmatchcase(text, pattern.replace("[", "[[]"))
