"""Routes that ask who is calling before they read what was sent."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from api.json_body import bounded, parsed, require_json
from api.refusals import RoleRefused
from api.roles import ALLOWED

__all__ = ["DirectRoute", "new_router"]

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class GuardedRoute(APIRoute):
    """A route for the roles that ``api/roles.py`` lists for it; KeyError where it lists none.

    The key is checked before the body is read, so that a stranger costs nothing but headers.
    """

    def answering(self) -> Handler:
        """What answers a request that may be answered."""
        return super().get_route_handler()

    def get_route_handler(self) -> Handler:
        answer = self.answering()
        method = "".join(self.methods or ())
        operation = f"{method} {self.path_format}"
        allowed = ALLOWED[operation]
        takes_json = self.body_field is not None and not isinstance(self.body_field.field_info, Form)

        async def guarded(request: Request) -> Response:
            principal = await request.app.state.gate.principal(request.headers.get("authorization"))
            request.state.principal = request.scope["principal"] = principal
            if principal.role not in allowed:
                raise RoleRefused(principal.role, operation, allowed)
            if takes_json:
                require_json(request)
            request = bounded(request, self.endpoint)
            return await answer(await parsed(request) if takes_json else request)

        return guarded


class DirectRoute(GuardedRoute):
    """A guarded route for the one hot path: its handler gets the request and the validated body, and answers.

    FastAPI's solver of parameters, its serializer and its stacks of things to be closed cost several times what
    scoring does. The handler reads query and headers itself; ``openapi_extra`` says which.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        answer = self.get_route_handler()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            response = await answer(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = app

    def answering(self) -> Handler:
        handler, body = self.endpoint, self.body_field
        assert body is not None

        async def answer(request: Request) -> Response:
            value, errors = body.validate(await request.json(), {}, loc=("body",))
            if errors:
                raise RequestValidationError(errors)
            response: Response = await handler(request, value)
            return response

        return answer


def new_router(noun: str, route_class: type[GuardedRoute] = GuardedRoute) -> APIRouter:
    """A router for one noun; its routes are guarded. Paths are written in full: ``/v1/orders/{order_id}``.

    Ids that others have made may hold a slash: ``/v1/orders/{order_id:path}``.
    """
    return APIRouter(route_class=route_class, tags=[noun])
