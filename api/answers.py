"""What is answered about orders, sellers, rings and the model: shapes that routes and the client share."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.manifest import Manifest

__all__ = [
    "BulkAnswer",
    "DecisionAnswer",
    "ModelAnswer",
    "NodeLinkAnswer",
    "OrderAnswer",
    "PairAnswer",
    "ReasonAnswer",
    "RingAnswer",
    "RowAnswer",
    "Scored",
    "ScoredBatch",
    "SellerAnswer",
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


class SellerAnswer(BaseModel):
    """A row of ``sellers.parquet``: suspected, never called a fraudster."""

    seller_id: str
    score: float
    recommendation: Literal["none", "watch", "open_case"]
    disposition_hint: Literal["suspect", "possible_victim"] | None
    order_count: int
    suspected_order_count: int
    gmv_minor: dict[str, int]
    suspected_gmv_minor: dict[str, int]
    clauses: list[str]
    reasons: list[ReasonAnswer]


class PairAnswer(BaseModel):
    """Orders of one buyer at one seller within the ring."""

    buyer_id: str
    seller_id: str
    order_count: int


class RingAnswer(BaseModel):
    """A row of ``rings.parquet``, and who bought where."""

    ring_id: str
    kind: Literal["identity", "dense_block", "lockstep", "consignment_point"]
    seller_ids: list[str]
    buyer_ids: list[str]
    creator_ids: list[str]
    order_count: int
    suspicion: float
    first_order_at: datetime
    last_order_at: datetime
    pairs: list[PairAnswer]


class NodeLinkAnswer(BaseModel):
    """The ring as ``networkx.node_link_graph`` reads it: buyers and sellers, an edge per pair."""

    directed: bool
    multigraph: bool
    graph: dict[str, Any]
    nodes: list[dict[str, Any]] = Field(description="id is kind:ID; account_id the account's own.")
    edges: list[dict[str, Any]]


class ModelAnswer(BaseModel):
    """The verified bundle; nulls where orders are judged by the rules alone."""

    model: str | None = Field(description="Bundle id, as in the versions of a decision.")
    manifest: Manifest | None
