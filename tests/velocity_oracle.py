"""Trailing windows in plain Python, one order and one aggregate at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from features.velocity import AGGREGATES, WINDOW_HOURS, Aggregate

Row = Mapping[str, Any]

# instants that fall on, just before and just after the ends of windows
_STEPS = [
    timedelta(0),
    timedelta(microseconds=1),
    *(timedelta(hours=hours) for hours in WINDOW_HOURS.values()),
    *(timedelta(hours=hours, microseconds=1) for hours in WINDOW_HOURS.values()),
    timedelta(hours=1, microseconds=-1),
]


@st.composite
def order_tables(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to 14 orders of few accounts, at colliding instants, with gaps in the data."""
    few = {
        "seller_id": st.sampled_from(["s1", "s2"]),
        "buyer_id": st.sampled_from(["b1", "b2", "b3"]),
        "currency": st.sampled_from(["USD", "EUR"]),
        "total_minor": st.integers(0, 10_000),
        "platform_discount_minor": st.none() | st.integers(0, 500),
        "device_id": st.sampled_from([None, "d1", "d2"]),
        "payment_id": st.sampled_from([None, "p1"]),
        "recipient_phone": st.sampled_from([None, "5551234", "5559876"]),
        "ip_address": st.sampled_from([None, "10.0.0.1", "10.0.0.2"]),
    }
    rows, now = [], datetime(2024, 1, 1)
    for number in range(draw(st.integers(1, 14))):
        now += draw(st.sampled_from(_STEPS))
        rows.append({"order_id": f"o{number:02d}", "created_at": now} | draw(st.fixed_dictionaries(few)))
    return rows


def window_values(orders: Sequence[Row], limit: int) -> dict[str, dict[str, float | None]]:
    """Order id → aggregate → value, as the module's contract words it."""
    return {order["order_id"]: values_of(order, orders, limit) for order in orders}


def values_of(order: Row, orders: Sequence[Row], limit: int) -> dict[str, float | None]:
    """Aggregate → value of one order, which need not be among the orders."""
    return {aggregate.name: _one(aggregate, order, orders, limit) for aggregate in AGGREGATES}


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
