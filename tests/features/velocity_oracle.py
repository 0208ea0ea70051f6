"""Trailing windows in plain Python, one order and one aggregate at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from features.velocity import AGGREGATES, WINDOW_HOURS, Aggregate

Row = Mapping[str, Any]


def window_values(orders: Sequence[Row], limit: int) -> dict[str, dict[str, float | None]]:
    """Order id → aggregate → value, as the module's contract words it."""
    return {
        order["order_id"]: {aggregate.name: _one(aggregate, order, orders, limit) for aggregate in AGGREGATES}
        for order in orders
    }


def _one(aggregate: Aggregate, order: Row, orders: Sequence[Row], limit: int) -> float | None:
    if any(order.get(part) is None for part in aggregate.key):
        return None
    until = order["created_at"]
    since = until - timedelta(hours=WINDOW_HOURS[aggregate.window])
    seen = [
        other
        for other in orders
        if since <= other["created_at"] < until
        and all(other.get(part) == order[part] for part in aggregate.key)
        and (aggregate.function != "sum" or other["currency"] == order["currency"])
    ]
    if aggregate.function == "count":
        return float(min(len(seen), limit))
    if len(seen) > limit:
        return None
    values = [other[aggregate.column] for other in seen if other.get(aggregate.column or "") is not None]
    if aggregate.function == "nunique":
        return float(len(set(values)))
    known = any(other.get(aggregate.column or "") is not None for other in orders)
    return float(sum(values)) if values or (known and not seen) else None
