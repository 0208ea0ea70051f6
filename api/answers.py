"""What is answered about an order: shapes that several routes share."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["DecisionAnswer", "ReasonAnswer", "VersionsAnswer"]

_FROM_INSIDE = ConfigDict(from_attributes=True)


class ReasonAnswer(BaseModel):
    """Why: one rule that fired."""

    model_config = _FROM_INSIDE

    code: str
    clause: str
    weight: float
    message: str


class VersionsAnswer(BaseModel):
    """What the decision rests on."""

    model_config = _FROM_INSIDE

    package: str
    policy: str
    policy_sha256: str
    model: str | None = Field(description="Bundle id; null where no model is in use.")
    snapshot: str | None = Field(description="Scan whose snapshot was read; null before the first.")
    snapshot_age_seconds: float | None


class DecisionAnswer(BaseModel):
    """A decision on an order. Scores are 0–1, higher is more suspicious."""

    model_config = _FROM_INSIDE

    decision_id: str
    order_id: str
    decided_at: datetime
    score: float
    decision: Literal["allow", "review", "hold"]
    anomaly_score: float | None
    rule_score: float
    clauses: dict[str, float | None] = Field(description="Per policy clause; null where not judged.")
    reasons: list[ReasonAnswer] = Field(description="Strongest first.")
    ring_id: str | None
    versions: VersionsAnswer
