"""The anomaly model in use."""

from __future__ import annotations

from fastapi import Request
from pydantic import BaseModel, Field

from api.routing import new_router
from models.bundle import Bundle, Manifest

__all__ = ["router"]

router = new_router("model")


class ModelAnswer(BaseModel):
    """The verified bundle; nulls where orders are judged by the rules alone."""

    model: str | None = Field(description="Bundle id, as in the versions of a decision.")
    manifest: Manifest | None


@router.get("/v1/model")
def model(request: Request) -> ModelAnswer:
    """Which model scores the orders, and what it was trained on."""
    bundle: Bundle | None = request.app.state.bundle
    if bundle is None:
        return ModelAnswer(model=None, manifest=None)
    return ModelAnswer(model=bundle.id, manifest=bundle.manifest)
