"""What was found of some orders, as decisions."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.contract import CLAUSES
from detector.judge import Judged
from detector.store.columns import to_micros
from detector.store.decisions import Decision, Versions

__all__ = ["decided"]

Row = Mapping[str, Any]


def decided(orders: Sequence[Row], judged: Judged, versions: Versions, now: datetime) -> list[Decision]:
    """One decision for each order, made ``now`` with these ``versions``."""
    scores = judged.scores
    clauses = zip(*(_known(scores.evidence.clauses[clause]) for clause in CLAUSES), strict=True)
    told = zip(
        _new_ids(now, len(orders)),
        orders,
        scores.score.tolist(),
        scores.decision.tolist(),
        _known(scores.anomaly_score),
        scores.rule_score.tolist(),
        clauses,
        judged.reasons,
        judged.rings,
        strict=True,
    )
    return [
        Decision(
            decision_id=decision_id,
            order_id=order["order_id"],
            seller_id=order["seller_id"],
            decided_at=now,
            score=score,
            decision=decision,
            anomaly_score=anomaly,
            rule_score=rule,
            clauses=dict(zip(CLAUSES, by_clause, strict=True)),
            reasons=reasons,
            ring_id=ring,
            versions=versions,
        )
        for decision_id, order, score, decision, anomaly, rule, by_clause, reasons, ring in told
    ]


def _new_ids(now: datetime, count: int) -> list[str]:
    """Ids nobody can guess, later ones sorting after earlier ones."""
    begins, chance = f"dec_{to_micros(now):013x}", secrets.token_bytes(6 * count)
    return [f"{begins}{at:03x}{chance[6 * at : 6 * at + 6].hex()}" for at in range(count)]


def _known(values: NDArray[np.float64]) -> list[float | None]:
    """NaN as None."""
    return [None if value != value else value for value in values.tolist()]
