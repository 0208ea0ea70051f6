"""From a JSON object to a command: the edge where malformed input is refused with the field named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from detector.enforcement.commands import COMMANDS, Command
from detector.enforcement.refusals import InvalidCommand

__all__ = ["parse_command"]

_FIELD = re.compile(r"\w+")


def parse_command(data: Mapping[str, object]) -> Command:
    """The command that ``data`` describes; fields it does not know are ignored.

    Raises
    ------
    InvalidCommand
        Unknown type, missing field, wrong type or value; the message names the field.
    """
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in COMMANDS:
        problem = f"{kind!r} should be one of {', '.join(COMMANDS)}"
        raise InvalidCommand("command", "type", problem)
    try:
        return _adapter(kind).validate_python(data)
    except ValidationError as error:
        field, problem = _first_problem(error)
        raise InvalidCommand(kind, field, problem) from None


@cache
def _adapter(kind: str) -> TypeAdapter[Command]:
    return TypeAdapter(COMMANDS[kind])


def _first_problem(error: ValidationError) -> tuple[str, str]:
    """Path and sentence of the first breach; of a union's, the last one, which is the structured form's."""
    details = error.errors(include_url=False)
    first = details[0]["loc"][0] if details[0]["loc"] else ""
    same = [detail for detail in details if detail["loc"][:1] == (first,)]
    detail = same[-1] if isinstance(details[0]["input"], Mapping) else same[0]
    return _dotted(detail["loc"]), _sentence(detail)


def _dotted(path: tuple[int | str, ...]) -> str:
    """The field's path, without the names that pydantic gives to the members of a union."""
    parts = [str(part) for part in path if _FIELD.fullmatch(str(part)) and part != "Money"]
    return ".".join(parts)


def _sentence(detail: Any) -> str:
    if detail["type"] == "missing":
        return "it is missing and should be given"
    sentence = str(detail["msg"]).removeprefix("Value error, ")
    return re.sub(r"^(Input|\w+) should", "it should", sentence)
