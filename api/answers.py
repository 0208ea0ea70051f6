"""What is answered about an order: shapes that several routes share."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "BulkAnswer",
    "DecisionAnswer",
    "OrderAnswer",
    "ReasonAnswer",
    "RowAnswer",
    "Scored",
    "ScoredBatch",
    "VersionsAnswer",
]

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
    snapshot: str | None = Field(description="Published scan that was read; null before the first.")
    snapshot_age_seconds: float | None


class DecisionAnswer(BaseModel):
    """A decision on an order. Scores are 0–1, higher is more suspicious."""

    model_config = _FROM_INSIDE

    decision_id: str
    order_id: str
    seller_id: str
    decided_at: datetime
    score: float
    decision: Literal["allow", "review", "hold"]
    anomaly_score: float | None
    rule_score: float
    clauses: dict[str, float | None] = Field(description="Per policy clause; null where not judged.")
    reasons: list[ReasonAnswer] = Field(description="Strongest first.")
    ring_id: str | None
    versions: VersionsAnswer


class Scored(DecisionAnswer):
    """The decision, and how long it took."""

    took_ms: float


class ScoredBatch(BaseModel):
    """The decisions, in the order of the request."""

    decisions: list[DecisionAnswer]
    took_ms: float


class RowAnswer(BaseModel):
    """What became of one row of a bulk request."""

    accepted: bool
    key: str | None = Field(description="The row's key; null where it could not be read.")
    reason: str | None = Field(description="Why it was refused; null where accepted.")
    decision_ids: list[str] = Field(description="New decisions on the orders that it touches.")


class BulkAnswer(BaseModel):
    """One answer per row, in the order of the request."""

    accepted: int
    refused: int
    rows: list[RowAnswer]


class OrderAnswer(BaseModel):
    """An order and what was said of it."""

    order_id: str
    decisions: list[DecisionAnswer] = Field(description="The latest first; facts that come later add more.")
    next_cursor: str | None = Field(description="Where the next page begins; null on the last one.")
