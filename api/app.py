"""The REST service as an ASGI app."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import distributions, version

from fastapi import FastAPI
from starlette.middleware import Middleware

from api import health
from api.auth import Gate, KeyRing
from api.errors import add_handlers
from api.observe import Observed
from api.oidc import OidcTokens
from api.openapi import Described
from api.v1 import (
    appeals,
    audit,
    cases,
    decisions,
    documents,
    facts,
    holds,
    ledger,
    model,
    notices,
    orders,
    penalties,
    policy,
    rings,
    score,
    sellers,
    violations,
)
from api.writer import writing
from detector.desk.desk import Desk
from detector.errors import InputError
from detector.pseudonym import load_key
from detector.rulebook import load_rulebook
from detector.service import Service
from detector.settings import Settings
from detector.store.database import connect, require_current
from detector.store.documents import DocumentStore
from models.bundle import Bundle, load

__all__ = ["ROUTERS", "create_app"]

SCORING = (score, facts, decisions, orders, sellers, rings, policy, model)
ENFORCEMENT = (cases, violations, penalties, holds, appeals, documents, notices, ledger, audit)
ROUTERS = (*(noun.router for noun in (*SCORING, *ENFORCEMENT)), health.public, health.guarded)
"""Every router, looked through in this order; a new noun is one module in ``api/v1`` and one entry here."""


def create_app(settings: Settings) -> FastAPI:
    """The app for these settings; the database must have been upgraded before it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = connect(settings.database_url)
        require_current(engine)
        app.state.engine = engine
        app.state.gate = Gate(KeyRing(engine), _oidc(settings))
        app.state.policy = load_rulebook(settings.policy_file)
        app.state.desk = Desk(engine, app.state.policy)
        app.state.documents = DocumentStore.of(settings)
        app.state.bundle = _bundle(settings)
        pseudonym_key = load_key(os.environ, settings.pseudonym_key_file)
        with Service(engine, app.state.policy, app.state.bundle, pseudonym_key) as app.state.service:
            async with writing(app.state.service) as app.state.writer:
                gc.collect()
                gc.freeze()  # else every full collection walks all that was imported, while callers wait
                yield
        engine.dispose()

    app = Described(
        title="TrueTrade",
        version=version("truetrade"),
        description="Finds fake transactions on a marketplace and acts on them fairly.",
        lifespan=lifespan,
        middleware=[Middleware(Observed)],
        telemetry={
            "auto_configure": True,
            "tracing": any(distributions(name="opentelemetry-sdk")),  # else each request looks for it
            "metrics": False,
            "logs": False,  # they quote what was sent
        },
        redirect_slashes=False,
        docs_url=None,  # Swagger UI would load its scripts from elsewhere
        redoc_url=None,
    )
    for router in ROUTERS:
        app.router.routes.extend(router.routes)  # include_router would match every request three times
    add_handlers(app)
    return app


def _bundle(settings: Settings) -> Bundle | None:
    if settings.model_bundle is None:
        return None
    if settings.model_key is None:
        raise InputError("TRUETRADE_MODEL_BUNDLE needs TRUETRADE_MODEL_KEY, the key it was signed with")
    return load(settings.model_bundle, key=settings.model_key.get_secret_value().encode())


def _oidc(settings: Settings) -> OidcTokens | None:
    if settings.oidc_issuer is None:
        return None
    return OidcTokens(
        settings.oidc_issuer, settings.oidc_audience, settings.oidc_role_claim, settings.oidc_roles
    )
