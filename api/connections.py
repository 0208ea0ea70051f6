"""HTTP connections that must make progress: slow or endless headers and bodies are cut off.

uvicorn ends idle kept-alive connections, but waits for ever for the rest of a header or body that comes a
byte at a time, and takes headers of any size.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.errors import MEDIA_TYPE

__all__ = ["TimedProtocol"]


class TimedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a deadline for each part of a request and a limit for its headers."""

    HEADER_SECONDS = 10.0
    """For all headers, from the connection's beginning; after an answer, beside the idle time allowed."""
    BODY_SECONDS = 30.0
    MAX_HEADER_BYTES = 32 * 1024

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _in_headers = True
    _begun = False
    """Part of a request has come (blank lines between requests are none), and not all of it."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._within(self.HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._no_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > self.MAX_HEADER_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large.")

    def on_message_begin(self) -> None:
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_headers, self._header_bytes = False, 0
        self._within(self.BODY_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._no_deadline()
        self._in_headers, self._begun = True, False
        super().on_message_complete()
        self._await_next_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_next_request()

    def _await_next_request(self) -> None:
        if self._is_idle() and not self.transport.is_closing():
            self._within(self.timeout_keep_alive + self.HEADER_SECONDS)

    def _is_idle(self) -> bool:
        """No request is under way: the last one has been read and answered in full."""
        return self.cycle is None or (self.cycle.response_complete and not self.cycle.more_body)

    def send_400_response(self, msg: str) -> None:
        self._begun = True
        self._refuse(HTTPStatus.BAD_REQUEST, "This is not an HTTP/1.1 request.")

    def _within(self, seconds: float) -> None:
        self._no_deadline()
        self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _no_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive in time.")

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer a request that has begun and has no answer yet, and close."""
        if self.transport.is_closing():
            return
        unanswered = self.cycle is not None and self.cycle.more_body and not self.cycle.response_started
        if self._begun and (self._is_idle() or unanswered):
            self.transport.write(_problem(status, detail))
        self.transport.close()


def _problem(status: HTTPStatus, detail: str) -> bytes:
    about = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    body = json.dumps(about).encode()
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
    return head.encode() + f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body
