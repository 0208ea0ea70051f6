"""One to a thousand orders judged at once, from what the store knows of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from detector.anomaly import category_code, week_number
from detector.policy.schema import Policy
from detector.pseudonym import Veil
from detector.recorded import SELLER_SIZE, recorded_features
from detector.scoring import ALLOW, Reason, Scorer, Scores
from detector.store import snapshots
from detector.store.known import Told, order_facts
from detector.store.snapshot_values import values
from detector.store.windows import Windows
from features.online import row_values
from features.stack import Stack, stacked
from models.forest import AnomalyModel

__all__ = ["Judge", "Judged"]

Floats = NDArray[np.float64]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found; one entry or row per order. ``features`` has the columns of ``recorded_features``."""

    features: Floats
    scores: Scores
    reasons: list[tuple[Reason, ...]]
    rings: list[str | None]
    snapshot: snapshots.Snapshot | None


class Judge:
    """A policy and a forest, ready to judge.

    Parameters
    ----------
    model
        The forest of the orders; None judges by the rules alone.
    veil
        Opens the stored names, which are compared letter by letter.
    windows
        Looks up the orders' trailing windows.
    """

    def __init__(self, policy: Policy, model: AnomalyModel | None, veil: Veil, windows: Windows) -> None:
        self.scorer = Scorer(policy.detection, policy.rule)
        self.recorded = recorded_features(self.scorer)
        self._model = model
        self._veil, self._windows = veil, windows
        self._explain_from = policy.detection.fusion.explain_from

    def judge(
        self,
        connection: Connection,
        orders: Sequence[Row],
        now: datetime,
        told: Sequence[Told],
        market: Collection[str],
    ) -> Judged:
        """Judge orders (stored rows, which need not be stored) on what is known ``now`` and ``told`` with each.

        Windows look back from each order's own time; the snapshot is the last one published. ``market`` is what
        ``facts.reported`` says.
        """
        known = order_facts(connection, orders, self._veil, told)
        rows = row_values(known, now, market)
        snapshot = snapshots.current(connection)
        keys = lookup_keys(orders, known.lines, rows.points)
        parts = [rows.features, self._windows.values(connection, orders, market)]
        if snapshot is not None:
            parts.append(values(connection, snapshot.groups, keys))
        features = Stack.together(*parts)
        scores = self.scorer.score(features, len(orders), self._anomaly(features, orders, known.lines))
        rings: list[str | None] = [None] * len(orders)
        if snapshot is not None and (scores.decision != ALLOW).any():
            rings = snapshots.ring_of_pairs(connection, snapshot, orders)
        return Judged(
            stacked(features, self.recorded, len(orders)).T,
            scores,
            [self._reasons(scores, row, features) for row in range(len(orders))],
            [ring if said != ALLOW else None for ring, said in zip(rings, scores.decision, strict=True)],
            snapshot,
        )

    def _reasons(self, scores: Scores, row: int, features: Mapping[str, Floats]) -> tuple[Reason, ...]:
        if scores.score[row] < self._explain_from and scores.decision[row] == ALLOW:
            return ()
        return tuple(self.scorer.reasons(scores, row, features))

    def _anomaly(
        self, features: Mapping[str, Floats], orders: Sequence[Row], lines: Sequence[Row]
    ) -> Floats | None:
        if self._model is None:
            return None
        unknown = np.full(len(orders), np.nan)
        size = features.get(SELLER_SIZE, unknown)
        groups = {
            "category": np.array(_categories(len(orders), lines), dtype=np.int64),
            SELLER_SIZE: np.where(np.isnan(size), -1, size).astype(np.int64),
            "live": np.array([_live(order.get("channel")) for order in orders], dtype=np.int64),
            "week": np.array([week_number(order["created_at"]) for order in orders], dtype=np.int64),
        }
        return self._model.percentile(features, groups)


def lookup_keys(
    orders: Sequence[Row], lines: Sequence[Row], points: Sequence[str | None]
) -> list[dict[str, Any]]:
    """The orders with the key columns that are derived: the first product, the consignment point."""
    first = _first_lines(lines)
    return [
        {**order, "product_id": first.get(o, {}).get("product_id"), "point_id": point}
        for o, (order, point) in enumerate(zip(orders, points, strict=True))
    ]


def _first_lines(lines: Sequence[Row]) -> dict[int, Row]:
    """The line of each order's first product, by id."""
    first: dict[int, Row] = {}
    for line in lines:
        product, known = line.get("product_id"), first.get(line["o"])
        if product is not None and (known is None or product < known["product_id"]):
            first[line["o"]] = line
    return first


def _categories(count: int, lines: Sequence[Row]) -> list[int]:
    codes = [-1] * count
    for o, line in _first_lines(lines).items():
        codes[o] = category_code(line.get("category"))
    return codes


def _live(channel: str | None) -> int:
    return -1 if channel is None else int(channel == "live")
