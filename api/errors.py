"""Every error as RFC 9457 problem details, and the one table from error class to HTTP status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from api.refusals import (
    CursorRefused,
    IdempotencyKeyRefused,
    MalformedBody,
    NotAuthenticated,
    ProviderUnreachable,
    RequestRefused,
    RoleRefused,
    ServiceBusy,
    TagMissing,
    TagUnknown,
    TooManyAttempts,
    WrongMediaType,
)
from detector.desk.reading import Unknown
from detector.enforcement import refusals
from detector.errors import TrueTradeError
from detector.service import UnknownRecord
from detector.store.case_files import CaseEdited, UnknownCase
from detector.store.database import StoreError
from detector.store.documents import DocumentTooLarge, UnknownDocument
from detector.store.events import StreamMoved
from detector.store.filetypes import DocumentRefused

__all__ = ["INTERNAL_ERROR", "MEDIA_TYPE", "STATUS", "add_handlers", "problem", "status_of"]

MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[type[Exception], HTTPStatus] = {
    CursorRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    IdempotencyKeyRefused: HTTPStatus.BAD_REQUEST,
    MalformedBody: HTTPStatus.BAD_REQUEST,
    NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    RoleRefused: HTTPStatus.FORBIDDEN,
    TagMissing: HTTPStatus.PRECONDITION_REQUIRED,
    TagUnknown: HTTPStatus.PRECONDITION_FAILED,
    WrongMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
    ProviderUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    ServiceBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    UnknownRecord: HTTPStatus.NOT_FOUND,
    StoreError: HTTPStatus.SERVICE_UNAVAILABLE,
    DBAPIError: HTTPStatus.SERVICE_UNAVAILABLE,
    PoolTimeout: HTTPStatus.SERVICE_UNAVAILABLE,
    Unknown: HTTPStatus.NOT_FOUND,
    UnknownCase: HTTPStatus.NOT_FOUND,
    UnknownDocument: HTTPStatus.NOT_FOUND,
    DocumentTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    DocumentRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    CaseEdited: HTTPStatus.PRECONDITION_FAILED,
    StreamMoved: HTTPStatus.SERVICE_UNAVAILABLE,
    refusals.InvalidCommand: HTTPStatus.UNPROCESSABLE_ENTITY,
    refusals.IdempotencyConflict: HTTPStatus.UNPROCESSABLE_ENTITY,
    refusals.RoleNotAllowed: HTTPStatus.FORBIDDEN,
    refusals.SameActor: HTTPStatus.FORBIDDEN,
    refusals.UnknownSubject: HTTPStatus.NOT_FOUND,
    refusals.Refusal: HTTPStatus.CONFLICT,
}
"""Error class → status; a subclass that is not listed has its parent's."""

INTERNAL_ERROR = "The request failed inside the service; the log has it by request_id."

_DETAIL_OF: Mapping[HTTPStatus, str] = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method; see Allow.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than this address takes.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database does not answer. Nothing was changed; try again.",
    HTTPStatus.INTERNAL_SERVER_ERROR: INTERNAL_ERROR,
}


def status_of(error: Exception) -> HTTPStatus:
    """The status of an error: its own class's, or the nearest parent's; 500 for what nobody expected."""
    found = (STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)


def problem(
    scope: Mapping[str, Any],
    status: int,
    detail: str,
    *,
    error: str | None = None,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, Any]] = (),
) -> JSONResponse:
    """The answer to a request that failed.

    ``error`` is the error's class name and becomes the problem type; without one the status says it all.
    """
    body: dict[str, Any] = {
        "type": f"urn:truetrade:error:{error}" if error else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "instance": scope.get("path", ""),
        "request_id": scope.get("request_id", ""),
    }
    if error:
        body["error"] = error
    if errors:
        body["errors"] = list(errors)
    return JSONResponse(body, status, dict(headers or {}), MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Make every error of ``app``, its own and the framework's, a problem."""
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
    for kind in (TrueTradeError, DBAPIError, PoolTimeout):
        app.add_exception_handler(kind, _on_error)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = _DETAIL_OF.get(HTTPStatus(error.status_code), error.detail)
    return problem(request.scope, error.status_code, detail, headers=error.headers)


async def _on_error(request: Request, error: Exception) -> JSONResponse:
    status = status_of(error)
    headers = dict(getattr(error, "headers", {}))
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", "1")
    in_own_words = status < 500 or isinstance(error, RequestRefused)  # others may name hosts or values
    detail = str(error) if in_own_words else _DETAIL_OF[status]
    return problem(request.scope, status, detail, error=type(error).__name__, headers=headers)


async def _on_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [_one_wrong(found) for found in error.errors()]
    detail = f"{len(errors)} value{'s are' if len(errors) > 1 else ' is'} not as documented; see errors."
    return problem(request.scope, HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)


def _one_wrong(found: Mapping[str, Any]) -> dict[str, str]:
    """Where and why, without the value: it may be somebody's address."""
    place, *path = found["loc"]
    detail = str(found["msg"]).removeprefix("Value error, ")
    if place == "body":
        pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
        return {"detail": detail, "pointer": f"#{pointer}"}
    return {"detail": detail, "parameter": ".".join(map(str, path))}
