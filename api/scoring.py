"""The scoring service as the routes see it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from api.writer import Writer
from detector.service import Service

__all__ = ["Scoring", "Writing"]


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _writer(request: Request) -> Writer:
    writer: Writer = request.app.state.writer
    return writer


Scoring = Annotated[Service, Depends(_service)]
"""The service, to be read from in a plain ``def`` handler."""

Writing = Annotated[Writer, Depends(_writer)]
"""The writer, for an ``async def`` handler."""
