"""Lets callers with a known key pass, and tells the upstream the title from their profile."""

import logging
from dataclasses import dataclass
from urllib.parse import quote

from gatehouse import Abstain, Allow, Config, Deny, Request, RequestAction, RequestEdit, Verdict, http

log = logging.getLogger(__name__)


@dataclass
class Caller:
    name: str
    plan: str


# What it may be is said in config.schema.json; the gateway has checked that.
@dataclass
class Settings:
    keys: dict[str, Caller]
    profiles: str = ""


class Plugin:
    def __init__(self, config: Config) -> None:
        self.settings = config.read(Settings)

    def authorize(self, request: Request) -> Verdict:
        key = request.header("x-api-key")
        if key is None:
            return Abstain()
        caller = self.settings.keys.get(key)
        if caller is None:
            return Deny(403, json={"error": "unknown key"})
        return Allow(caller.name, attributes={"plan": caller.plan})

    def on_request(self, request: Request) -> RequestAction:
        principal = request.attribute("auth.principal")
        if principal is None or not self.settings.profiles:
            return None
        try:
            title = self.title(principal)
        except (http.Error, ValueError) as error:
            log.warning("no profile of %s: %s", principal, error)
            return None
        return RequestEdit(set_headers={"x-profile": title})

    def title(self, principal: str) -> str:
        answer = http.get(f"{self.settings.profiles}/{quote(principal, safe='')}")
        if answer.status != 200:
            raise http.Error(f"the answer is {answer.status}")
        return str(answer.json()["title"])
