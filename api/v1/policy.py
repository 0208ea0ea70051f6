"""The policy in force: rules, bands, ladder, holds, appeals."""

from __future__ import annotations

from fastapi import Request

from api.routing import new_router
from detector.policy.schema import Policy

__all__ = ["router"]

router = new_router("policy")


@router.get("/v1/policy")
def policy(request: Request) -> Policy:
    """The policy that decisions are made by, as its file says it."""
    in_force: Policy = request.app.state.policy
    return in_force
