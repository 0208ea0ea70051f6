"""Who a request comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from detector.roles import Role

__all__ = ["Caller", "Principal"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A system or a person. ``id`` is ``key:ID`` or ``oidc:SUBJECT``; ``name`` is for logs and audit."""

    id: str
    name: str
    role: Role


async def _caller(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


Caller = Annotated[Principal, Depends(_caller)]
"""Parameter of a handler that needs to know who calls."""
