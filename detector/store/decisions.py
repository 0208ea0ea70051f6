"""The decisions: what was said of an order, when, on which facts, by which policy, model and snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, Connection, Double, Index, LargeBinary, Row, Table, Text, insert, select

from detector.scoring import Reason
from detector.store.columns import METADATA, Instant, Json, json_text, to_micros
from detector.store.inserting import insert_new
from detector.store.prepared import Prepared
from detector.store.vectors import pack_rows, unpack

__all__ = ["Decision", "Versions", "decision", "decisions_of", "decisions_until", "feature_set", "keep"]

FEATURE_SETS = Table(
    "feature_sets", METADATA, Column("digest", Text, primary_key=True), Column("names", Json, nullable=False)
)
"""Lists of feature names; a decision keeps its values in the order of one of them."""

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("decision_id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("seller_id", Text, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("score", Double, nullable=False),
    Column("decision", Text, nullable=False),
    Column("anomaly_score", Double),
    Column("rule_score", Double, nullable=False),
    Column("clauses", Json, nullable=False),
    Column("reasons", Json, nullable=False),
    Column("ring_id", Text),
    Column("versions", Json, nullable=False),
    Column("feature_set", Text, nullable=False),
    Column("features", LargeBinary, nullable=False),
    Index("ix_decisions_order", "order_id", "decided_at"),
)
Index(
    "ix_decisions_suspected",
    DECISIONS.c.seller_id,
    DECISIONS.c.decided_at,
    sqlite_where=DECISIONS.c.decision != "allow",
    postgresql_where=DECISIONS.c.decision != "allow",
)


@dataclass(frozen=True, slots=True)
class Versions:
    """What a decision was made with. ``snapshot``: the generation in force, None without one."""

    package: str
    policy: str
    policy_sha256: str
    model: str | None
    snapshot: str | None
    snapshot_age_seconds: float | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What was said of an order. Scores are 0–1, higher is more suspicious; null where not judged."""

    decision_id: str
    order_id: str
    seller_id: str
    decided_at: datetime
    score: float
    decision: str
    anomaly_score: float | None
    rule_score: float
    clauses: Mapping[str, float | None]
    reasons: tuple[Reason, ...]
    ring_id: str | None
    versions: Versions


def feature_set(connection: Connection, names: Sequence[str]) -> str:
    """Keep a list of names; its digest."""
    digest = sha256("\0".join(names).encode()).hexdigest()[:16]
    connection.execute(insert_new(connection, FEATURE_SETS), [{"digest": digest, "names": list(names)}])
    return digest


def keep(
    connection: Connection, decisions: Sequence[Decision], features: NDArray[np.float64], names: str
) -> None:
    """Store decisions; ``features`` has a row for each, in the order of the feature set ``names``."""
    versions = {
        made_with: json_text(_members(made_with)) for made_with in {one.versions for one in decisions}
    }
    micros = {at: to_micros(at) for at in {one.decided_at for one in decisions}}
    rows = [
        (
            one.decision_id,
            one.order_id,
            one.seller_id,
            micros[one.decided_at],
            one.score,
            one.decision,
            one.anomaly_score,
            one.rule_score,
            json_text(one.clauses),
            json_text([_members(reason) for reason in one.reasons]) if one.reasons else "[]",
            one.ring_id,
            versions[one.versions],
            names,
            values,
        )
        for one, values in zip(decisions, pack_rows(features), strict=True)
    ]
    _inserting(connection.dialect.name).run_tuples(connection, rows)


@cache
def _inserting(dialect: str) -> Prepared:
    return Prepared(dialect, insert(DECISIONS))


def _members(record: Reason | Versions) -> dict[str, Any]:
    """As ``asdict``, which copies every value."""
    return {name: getattr(record, name) for name in record.__slots__}


def decision(connection: Connection, decision_id: str) -> Decision | None:
    """The decision of that id."""
    row = connection.execute(select(DECISIONS).where(DECISIONS.c.decision_id == decision_id)).first()
    return None if row is None else _of_row(row)


def decisions_of(connection: Connection, order_id: str) -> list[Decision]:
    """Every decision on an order, the latest first."""
    found = select(DECISIONS).where(DECISIONS.c.order_id == order_id)
    latest = (DECISIONS.c.decided_at.desc(), DECISIONS.c.decision_id.desc())
    return [_of_row(row) for row in connection.execute(found.order_by(*latest))]


def decisions_until(connection: Connection, order_ids: Sequence[str], at: datetime) -> list[Decision]:
    """Every decision on some orders made by ``at``, the earliest first."""
    found = select(DECISIONS).where(DECISIONS.c.order_id.in_(order_ids), DECISIONS.c.decided_at <= at)
    in_turn = (DECISIONS.c.decided_at, DECISIONS.c.decision_id)
    return [_of_row(row) for row in connection.execute(found.order_by(*in_turn))]


def features_of(connection: Connection, decision_id: str) -> dict[str, float]:
    """The features that the decision was made on, those that were known."""
    joined = DECISIONS.join(FEATURE_SETS, DECISIONS.c.feature_set == FEATURE_SETS.c.digest)
    wanted = select(FEATURE_SETS.c.names, DECISIONS.c.features).select_from(joined)
    row = connection.execute(wanted.where(DECISIONS.c.decision_id == decision_id)).first()
    if row is None:
        return {}
    known = zip(row.names, unpack(row.features, len(row.names)).tolist(), strict=True)
    return {name: value for name, value in known if value == value}


def _of_row(row: Row[Any]) -> Decision:
    return Decision(
        **{name: getattr(row, name) for name in _PLAIN},
        reasons=tuple(Reason(**reason) for reason in row.reasons),
        versions=Versions(**row.versions),
    )


_PLAIN = tuple(name for name in Decision.__slots__ if name not in ("reasons", "versions"))
