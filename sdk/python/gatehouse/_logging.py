"""The module logging writes to the gateway's log."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from . import _host


def level(number: int) -> int:
    """The contract's level: trace, debug, info, warn, error."""
    return 0 if number < logging.DEBUG else min(number // 10, 4)


class Record(logging.LogRecord):
    """A record that asks for no time: an authorizer's verdict would not be kept, as it may depend on it. The line has its own."""

    def __init__(
        self,
        name: str,
        number: int,
        pathname: str,
        line: int,
        message: object,
        arguments: Any,
        exc_info: Any,
        func: str | None = None,
        sinfo: str | None = None,
        **_: object,
    ) -> None:
        if len(arguments or ()) == 1 and isinstance(arguments[0], Mapping) and arguments[0]:
            arguments = arguments[0]
        self.name, self.msg, self.args = name, message, arguments
        self.levelno, self.levelname = number, logging.getLevelName(number)
        self.pathname, self.lineno, self.funcName = pathname, line, func or ""
        self.filename = os.path.basename(pathname)
        self.module = os.path.splitext(self.filename)[0]
        self.exc_info, self.exc_text, self.stack_info = exc_info, None, sinfo
        self.created = self.msecs = self.relativeCreated = 0.0
        self.process = self.processName = self.thread = self.threadName = self.taskName = None


class Handler(logging.Handler):
    """A record is a line."""

    def filter(self, record: logging.LogRecord) -> Any:
        return _host.current.log_enabled(level(record.levelno)) and super().filter(record)

    def emit(self, record: logging.LogRecord) -> None:
        _host.current.log_write(level(record.levelno), self.format(record))


def install() -> None:
    """From now on, at every level: the gateway decides which are written."""
    logging.setLogRecordFactory(Record)
    root = logging.getLogger()
    if not any(isinstance(handler, Handler) for handler in root.handlers):
        root.addHandler(Handler())
    root.setLevel(1)
