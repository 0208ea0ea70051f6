"""Replays a log of commands: JSON lines in, the state as of an instant out. No database, no clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from detector.enforcement.book import Book
from detector.enforcement.days import parse_instant
from detector.enforcement.parse import parse_command
from detector.enforcement.refusals import Refusal
from detector.enforcement.view import book_view
from detector.errors import TrueTradeError
from detector.policy.schema import Policy

__all__ = ["LogUnreadable", "RefusedLine", "Replay", "read_log", "replay"]


@dataclass(eq=False)
class LogUnreadable(TrueTradeError):
    """A line of the log is not a JSON object; nothing after it can be trusted."""

    line: int
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}; each line should be one command as a JSON object"


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A command that was refused: its 1-based line, its key (None when it has none), and why."""

    line: int
    key: str | None
    error: str
    detail: str


@dataclass(frozen=True, slots=True)
class Replay:
    """What a log leads to."""

    book: Book
    refused: tuple[RefusedLine, ...]
    as_of: datetime

    def view(self) -> dict[str, Any]:
        """The state with the names of the enforcement contract."""
        refused = [{"line": r.line, "key": r.key, "error": r.error, "detail": r.detail} for r in self.refused]
        return {**book_view(self.book, self.as_of), "refused": refused}


def replay(log: bytes, policy: Policy, as_of: datetime) -> Replay:
    """Apply the commands of ``log`` up to and including ``as_of``, in the log's order, to an empty state.

    Raises
    ------
    LogUnreadable
        A line is not UTF-8, not JSON, or not an object. Blank lines are passed over.
    """
    book = Book(policy)
    refused = []
    for line, data in read_log(log):
        at = _instant(data)
        if at is not None and at > as_of:
            book.advance(at)
            continue
        refusal = _apply(book, data)
        if refusal:
            refused.append(RefusedLine(line, _key(data), refusal.name, str(refusal)))
    return Replay(book, tuple(refused), as_of)


def _apply(book: Book, data: dict[str, Any]) -> Refusal | None:
    try:
        answer = book.submit(parse_command(data))
    except Refusal as refusal:
        return refusal
    return answer if isinstance(answer, Refusal) else None


def _instant(data: dict[str, Any]) -> datetime | None:
    try:
        return parse_instant(data.get("at"))
    except ValueError:
        return None


def _key(data: dict[str, Any]) -> str | None:
    key = data.get("key")
    return key if isinstance(key, str) else None


def read_log(log: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """The log's objects with their 1-based line numbers; a byte order mark and CRLF are accepted."""
    for line, content in enumerate(log.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not content.strip():
            continue
        data = _json(line, content)
        if not isinstance(data, dict):
            raise LogUnreadable(line, f"it is JSON, but {_kind(data)}")
        yield line, data


def _json(line: int, content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise LogUnreadable(line, "it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise LogUnreadable(line, f"it is not JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise LogUnreadable(line, f"it is not JSON that can be read: {error}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _kind(data: object) -> str:
    kinds = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(data), "a number")
