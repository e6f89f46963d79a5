"""Lets requests pass that carry the key."""

from dataclasses import dataclass

from gatehouse import Allow, Config, Deny, Request, Verdict, same_secret


@dataclass
class Settings:
    key: str


class Plugin:
    def __init__(self, config: Config) -> None:
        self.settings = config.read(Settings)
        if not self.settings.key:
            raise ValueError("`key` is a string that is not empty")

    def authorize(self, request: Request) -> Verdict:
        if same_secret(request.header("x-key"), self.settings.key):
            return Allow("alice")
        return Deny(403, json={"error": "the key is wrong"})
