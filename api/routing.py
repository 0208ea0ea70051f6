"""Routes that ask who is calling before they read what was sent."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.params import Form
from fastapi.routing import APIRoute

from api.json_body import parsed, require_json
from api.refusals import RoleRefused
from api.roles import ALLOWED

__all__ = ["new_router"]


class GuardedRoute(APIRoute):
    """A route for the roles that ``api/roles.py`` lists for it; KeyError where it lists none.

    The key is checked before the body is read, so that a stranger costs nothing but headers.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        method = "".join(self.methods or ())
        operation = f"{method} {self.path}"
        allowed = ALLOWED[operation]
        takes_json = self.body_field is not None and not isinstance(self.body_field.field_info, Form)

        async def guarded(request: Request) -> Response:
            principal = await request.app.state.gate.principal(request.headers.get("authorization"))
            request.state.principal = request.scope["principal"] = principal
            if principal.role not in allowed:
                raise RoleRefused(principal.role, operation, allowed)
            if not takes_json:
                return await answer(request)
            require_json(request)
            return await answer(await parsed(request))

        return guarded


def new_router(noun: str) -> APIRouter:
    """A router for one noun; its routes are guarded. Paths are written in full: ``/v1/orders/{order_id}``."""
    return APIRouter(route_class=GuardedRoute, tags=[noun])
