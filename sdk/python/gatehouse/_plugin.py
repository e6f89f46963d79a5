"""What a plugin's module has."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .config import Config

#: The function of each hook.
HOOKS = {
    "authorizer": "authorize",
    "request-filter": "on_request",
    "request-body-filter": "on_request_body",
    "request-chunk-filter": "on_request_chunk",
    "response-filter": "on_response",
    "response-body-filter": "on_response_body",
    "response-chunk-filter": "on_response_chunk",
    "logger": "log",
}


def start(module: ModuleType, config: Config) -> Any:
    """What has the hooks: an object of its class `Plugin`, else the module itself."""
    if hasattr(module, "Plugin"):
        return module.Plugin(config)
    if hasattr(module, "init"):
        module.init(config)
    elif config:
        raise ValueError(f"the plugin takes no configuration, and there is `{next(iter(config))}`")
    return module


def check(module: ModuleType, hooks: list[str]) -> None:
    """That the module has the hooks that plugin.toml lists, and no others."""
    owner = getattr(module, "Plugin", module)
    for hook, name in HOOKS.items():
        function = getattr(owner, name, None)
        if hook in hooks and not callable(function):
            raise AttributeError(f"plugin.toml lists the hook {hook}, but {module.__name__}.py has no `{name}`")
        # A logger may well be called `log`.
        if hook not in hooks and getattr(function, "__module__", None) == module.__name__:
            raise AttributeError(f"{module.__name__}.py has `{name}`, but plugin.toml does not list the hook {hook}")
