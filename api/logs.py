"""JSON log lines on standard output, ours and the libraries', without personal data."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from select import PIPE_BUF
from typing import Any, BinaryIO, cast

import structlog
from pydantic_core import to_json

__all__ = ["set_up_logs"]


def set_up_logs() -> None:
    """One JSON object a line: time, level, event, and the fields of the event."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(_json)],
        logger_factory=structlog.BytesLoggerFactory(cast(BinaryIO, _Lines(sys.stdout.buffer))),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    drop = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[drop, _without_message_of_errors, structlog.processors.JSONRenderer()],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for chatty in ("alembic", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class _Lines:
    """Lines for a file, which gets at once those of one turn of the event loop: a system call takes as long as a line."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: deque[bytes] = deque()
        self.write = self._waiting.append
        self._is_due = False

    def flush(self) -> None:
        if self._is_due:
            return
        try:
            asyncio.get_running_loop().call_soon(self._passed_on)
            self._is_due = True
        except RuntimeError:  # on a thread without a loop
            self._passed_on()

    def _passed_on(self) -> None:
        self._is_due = False
        lines = b""
        with suppress(IndexError):  # nothing waits any more, or another thread was quicker
            while True:
                line = self._waiting.popleft()
                if len(lines) + len(line) > PIPE_BUF:
                    self._put(lines)
                    lines = b""
                lines += line
        self._put(lines)

    def _put(self, lines: bytes) -> None:
        """Write what a pipe takes as a whole: lines of several workers do not mix."""
        self._file.write(lines)
        self._file.flush()


def _json(event: Any, default: Callable[[Any], Any]) -> bytes:
    return to_json(event, fallback=default)


def _without_message_of_errors(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A library's traceback may quote what was sent: only the error's type is written."""
    error = event.pop("exc_info", None)
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
    return event
