"""Decisions, as they were given."""

from __future__ import annotations

from api.answers import DecisionAnswer
from api.parameters import Id
from api.routing import new_router
from api.scoring import Scoring

__all__ = ["router"]

router = new_router("decisions")


@router.get("/v1/decisions/{decision_id}")
def decision(decision_id: Id, service: Scoring) -> DecisionAnswer:
    """One decision, with all it rested on."""
    return DecisionAnswer.model_validate(service.decision(decision_id))
