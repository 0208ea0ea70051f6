"""Is it alive, is it ready, how is it doing."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from api.metrics import exposition
from api.routing import new_router
from detector.store.database import require_current

__all__ = ["guarded", "public"]

public = APIRouter(tags=["health"])
guarded = new_router("health")


class Healthy(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


@public.get("/healthz")
async def healthz() -> Healthy:
    """The process is alive; asks nothing of the database."""
    return Healthy()


@public.get("/readyz")
def readyz(request: Request) -> Healthy:
    """The database answers and has this version's tables; 503 until it does."""
    require_current(request.app.state.engine.execution_options(reads_only=True))
    return Healthy()


@guarded.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics() -> Any:
    """Prometheus text format."""
    return Response(exposition(), media_type=CONTENT_TYPE_LATEST)
