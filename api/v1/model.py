"""The anomaly model in use."""

from __future__ import annotations

from fastapi import Request

from api.answers import ModelAnswer
from api.routing import new_router
from models.bundle import Bundle

__all__ = ["router"]

router = new_router("model")


@router.get("/v1/model")
def model(request: Request) -> ModelAnswer:
    """Which model scores the orders, and what it was trained on."""
    bundle: Bundle | None = request.app.state.bundle
    if bundle is None:
        return ModelAnswer(model=None, manifest=None)
    return ModelAnswer(model=bundle.id, manifest=bundle.manifest)
