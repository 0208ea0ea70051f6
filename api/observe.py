"""The outermost layer: request ids, one log line and one measurement per request, and no error unanswered."""

from __future__ import annotations

import re
import time
from functools import cache
from http import HTTPStatus
from random import getrandbits

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import INTERNAL_ERROR, problem
from api.metrics import REQUESTS

__all__ = ["Observed"]

_HUNG_UP = 499
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LOG = structlog.get_logger("api")


class Observed:
    """ASGI layer around the whole app.

    A caller's ``X-Request-ID`` is kept where it is plain (up to 64 letters, digits, ``._-``), else one is
    made; the answer, its problem details and the log line carry it. The log line holds the route's
    template, never the address or the body: ids and values of people stay out of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = scope["request_id"] = _request_id(scope)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:  # the caller hung up, or was cut off for being slow
            status = status or _HUNG_UP
        except Exception as error:
            _log_failure(request_id, error)
            if not status:
                answer = problem(scope, HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_ERROR)
                await answer(scope, receive, send_with_id)
        finally:
            _record(scope, status, time.perf_counter() - began)


def _request_id(scope: Scope) -> str:
    given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")
    return given if _GIVEN_ID.fullmatch(given) else f"{getrandbits(64):016x}"


def _record(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path_format", "none")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    _measured(method, route, status).observe(seconds)
    principal = scope.get("principal")
    _LOG.info(
        "request",
        request_id=scope["request_id"],
        method=method,
        route=route,
        status=status,
        ms=round(seconds * 1000, 2),
        caller=None if principal is None else principal.id,
    )


_measured = cache(REQUESTS.labels)  # which looks at every label, each time
_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}


def _log_failure(request_id: str, error: BaseException) -> None:
    """Where it failed, without the message: it may quote what was sent."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    _LOG.error("failure", request_id=request_id, error=type(error).__name__, frames=frames[-12:])
