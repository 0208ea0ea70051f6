"""Request bodies: bounded, and strict JSON: UTF-8, bounded depth, no NaN, no NUL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from api.refusals import MalformedBody, WrongMediaType

__all__ = ["MAX_BODY_BYTES", "body_limit", "bounded", "parsed", "require_json"]


MAX_BODY_BYTES = 256 * 1024
"""The largest body of a handler that does not state its own limit."""

_Handler = TypeVar("_Handler", bound=Callable[..., Any])
_LIMIT = "max_body_bytes"


def body_limit(size: int) -> Callable[[_Handler], _Handler]:
    """Decorator under a route's: the handler takes bodies up to ``size`` bytes."""

    def limited(handler: _Handler) -> _Handler:
        setattr(handler, _LIMIT, size)
        return handler

    return limited


def bounded(request: Request, handler: Callable[..., Any]) -> Request:
    """The request, whose body is refused (413) once it is known to pass the handler's limit.

    A length that the headers announce is refused at once; what is sent all the same is thrown away as it
    comes. The framework's own limit does the same, but answers in plain text.
    """
    most, received = getattr(handler, _LIMIT, MAX_BODY_BYTES), 0
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > most:
        raise HTTPException(413)

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(413)
        return message

    return Request(request.scope, receive)


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
