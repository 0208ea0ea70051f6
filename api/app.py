"""The REST service as an ASGI app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware import Middleware

from api import health
from api.auth import Gate, KeyRing
from api.errors import add_handlers
from api.observe import Observed
from api.oidc import OidcTokens
from api.openapi import describe
from api.v1 import appeals, audit, cases, holds, ledger, notices, penalties, violations
from detector.desk.desk import Desk
from detector.policy.loader import load_policy
from detector.settings import Settings
from detector.store.database import connect, require_current

__all__ = ["ROUTERS", "create_app"]

ENFORCEMENT = (cases, violations, penalties, holds, appeals, notices, ledger, audit)
ROUTERS = (health.public, health.guarded, *(noun.router for noun in ENFORCEMENT))
"""Every router; a new noun is one module in ``api/v1`` and one entry here."""


def create_app(settings: Settings) -> FastAPI:
    """The app for these settings; the database must have been upgraded before it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = connect(settings.database_url)
        require_current(engine)
        app.state.engine = engine
        app.state.desk = Desk(engine, load_policy(settings.policy_file))
        app.state.gate = Gate(KeyRing(engine), _oidc(settings))
        yield
        engine.dispose()

    app = FastAPI(
        title="TrueTrade",
        version=version("truetrade"),
        description="Finds fake transactions on a marketplace and acts on them fairly.",
        lifespan=lifespan,
        middleware=[Middleware(Observed)],
        redirect_slashes=False,
        docs_url=None,  # Swagger UI would load its scripts from elsewhere
        redoc_url=None,
    )
    for router in ROUTERS:
        app.include_router(router)
    add_handlers(app)
    describe(app)
    return app


def _oidc(settings: Settings) -> OidcTokens | None:
    if settings.oidc_issuer is None:
        return None
    return OidcTokens(
        settings.oidc_issuer, settings.oidc_audience, settings.oidc_role_claim, settings.oidc_roles
    )
