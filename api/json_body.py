"""Request bodies as strict JSON: UTF-8, bounded depth, no NaN, no NUL, integers that fit."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from api.refusals import MalformedBody, WrongMediaType

__all__ = ["parsed", "require_json"]


async def parsed(request: Request) -> Request:
    """The request with its body read by our rules, not the framework's. Raises MalformedBody."""
    request._json = parse(await request.body())  # where Request.json() keeps its result
    return request


def parse(body: bytes) -> Any:
    """The value of a JSON text. The parser refuses more than 200 levels before it builds them.

    Raises
    ------
    MalformedBody
        Not JSON, not UTF-8, too deep, NaN or Infinity, or a NUL character, which no database text holds.
    """
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedBody(str(error)) from None
    if b"\\u0000" in body and _holds_nul(value):
        raise MalformedBody("a text holds the character NUL")
    return value


def require_json(request: Request) -> None:
    """Raise WrongMediaType unless the request says that its body is JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise WrongMediaType


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))
