"""A function's modules, which are read when the component is built and run when an instance starts."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from modulefinder import ModuleFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any


class Function(MetaPathFinder, Loader):
    """The modules of a folder. An instance has no files, so all that could be imported must be there when it is built."""

    def __init__(self, folder: str | Path, handler: str) -> None:
        self._module, _, self._name = handler.rpartition(".")
        if not self._module:
            raise ValueError(f"the handler {handler!r} has no module: it is written MODULE.FUNCTION")
        finder = ModuleFinder([str(folder)])
        try:
            finder.import_hook(self._module)
        except ImportError:
            raise ImportError(f"there is no module {self._module} in {folder}") from None
        self._own: dict[str, tuple[CodeType, str, bool]] = {}
        elsewhere = list(finder.badmodules)
        module: Any
        for name, module in finder.modules.items():
            if module.__code__ is None:
                elsewhere.append(name)
            else:
                self._own[name] = (module.__code__, str(module.__file__), module.__path__ is not None)
        for name in elsewhere:
            # What is not there fails where it is imported: that may be where nobody comes, or is caught.
            with suppress(ImportError):
                importlib.import_module(name)

    def load(self) -> Any:
        """Runs the module, and gives its function."""
        for name in self._own:
            sys.modules.pop(name, None)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        module = importlib.import_module(self._module)
        function = getattr(module, self._name, None)
        if not callable(function):
            raise ValueError(f"the function's module {self._module} has no function {self._name}")
        return function

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self._own:
            return None
        _, file, is_package = self._own[name]
        spec = spec_from_loader(name, self, origin=file, is_package=is_package)
        if spec is not None:
            spec.has_location = True
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(self._own[module.__name__][0], module.__dict__)
