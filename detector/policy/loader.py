"""Reads a policy file: TOML in, a checked ``Policy`` out, or one error that names every offending line."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError

from detector.errors import PolicyError
from detector.policy.checks import Problem, nearest, problems
from detector.policy.positions import Path, locate
from detector.policy.schema import Policy

__all__ = ["DEFAULT_POLICY", "load_policy", "parse_policy", "policy_error"]

DEFAULT_POLICY = FilePath(__file__).with_name("default.toml")
_OF_THE_FILE = ("sha256", "text")
_TOML_LINE = re.compile(r"^(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


def load_policy(path: FilePath | None = None) -> Policy:
    """Read and check the policy file at ``path``; None reads the one that ships with the product.

    Raises
    ------
    PolicyError
        The file cannot be read, is not TOML, or breaks the schema. The message has one line per breach:
        ``FILE:LINE: where: `offending text`: what would be right``.
    """
    file = path if path is not None else DEFAULT_POLICY
    try:
        content = file.read_bytes()
    except OSError as error:
        raise PolicyError(f"{file}: cannot read the policy file: {error.strerror}") from error
    return parse_policy(content, str(file))


def parse_policy(content: bytes, name: str) -> Policy:
    """The policy in ``content``; ``name`` stands for the file in errors."""
    text, data = _toml(content, name)
    taken = [
        ((key,), "it should not be here: it is computed from the file") for key in _OF_THE_FILE if key in data
    ]
    if taken:
        raise policy_error(name, text, taken)
    known = {"sha256": hashlib.sha256(content).hexdigest(), "text": content.decode()}
    try:
        policy = Policy.model_validate(_tuples(data) | known)
    except ValidationError as error:
        raise policy_error(name, text, _breaches(error)) from None
    found = list(problems(policy))
    if found:
        raise policy_error(name, text, found)
    return policy


def policy_error(name: str, text: str, found: Iterable[Problem]) -> PolicyError:
    """One error for all breaches, each with the line and the text it stands on."""
    return PolicyError("\n".join(_line(name, text, path, right) for path, right in found))


def _line(name: str, text: str, path: Path, right: str) -> str:
    span = locate(text, path)
    quoted = f"`{span.text}`: " if span.text else ""
    return f"{name}:{span.line}: {_dotted(path)}: {quoted}{right}"


def _dotted(path: Path) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).lstrip(".")


def _toml(content: bytes, name: str) -> tuple[str, dict[str, Any]]:
    try:
        text = content.decode("utf-8").replace("\r\n", "\n")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PolicyError(f"{name}:{line}: not UTF-8; a policy file is TOML in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(_toml_error(name, text, str(error))) from None


def _toml_error(name: str, text: str, message: str) -> str:
    match = _TOML_LINE.match(message)
    line = int(match["line"] or text.count("\n") + 1) if match else 1
    what = match["what"] if match else message
    offending = text.split("\n")[line - 1].strip()
    return f"{name}:{line}: `{offending}`: not valid TOML: {what}"


def _tuples(value: Any) -> Any:
    """Lists as tuples, so that the frozen strict models accept them."""
    if isinstance(value, Mapping):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(_tuples(inner) for inner in value) if isinstance(value, list) else value


def _breaches(error: ValidationError) -> Iterator[Problem]:
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        if detail["type"] == "missing":
            yield path, f"{path[-1]!r} is missing here and should be given"
        elif detail["type"] == "extra_forbidden":
            yield path, f"unknown name{nearest(str(path[-1]), _names_at(path[:-1]))}"
        else:
            yield (
                path,
                detail["msg"].replace("Input should", "it should").replace("String should", "it should"),
            )


def _names_at(path: Path) -> tuple[str, ...]:
    """The names that the schema allows in the table at ``path``; empty when it is not a plain table."""
    model: Any = Policy
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if _is_model(model) else None
        model = _element(field.annotation) if field else None
    return tuple(model.model_fields) if _is_model(model) else ()


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _element(annotation: Any) -> Any:
    """The model inside ``tuple[Model, ...]``, or the annotation itself."""
    inner = [argument for argument in getattr(annotation, "__args__", ()) if _is_model(argument)]
    return inner[0] if inner else annotation
