"""Trailing-window aggregates, declared once.

The contract of a window: an order at ``t`` sees the orders of the same key with ``created_at`` in
``[t − w, t)``, so orders of the same instant are not in each other's history. Money is summed within one
currency only. A null key has no history (null, not 0); null values are not counted, and a sum is null where
orders were seen and none of them had a value, or where the market knows no value at all.

A key hotter than ``HOT_KEY_LIMIT`` orders in the window (for a sum: in its currency) is answered by a rule
that every path shares: the count stops at the limit, and any other aggregate is null. A shared office
network is not the key to anything, and one order's look-up must not read a hundred thousand rows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from features.declare import Entity, Feature
from features.stack import Names, Stack

HOT_KEY_LIMIT = 1000
"""Orders of one key in one window beyond which only the (capped) count is known."""

WINDOW_HOURS: dict[str, int] = {"1h": 1, "24h": 24, "7d": 168, "30d": 720, "90d": 2160}
"""Window name → length in hours."""

Function = Literal["count", "sum", "nunique"]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate: ``function`` of ``column`` over the orders that share ``key`` in the trailing window.

    ``key`` names columns of ``orders``; ``column`` is None for a count. A ``sum`` is money in minor units
    of the order's own currency.
    """

    entity: Entity
    key: tuple[str, ...]
    function: Function
    window: str
    column: str | None = None

    @property
    def name(self) -> str:
        """Column name, for example ``device_buyers_30d`` or ``buyer_seller_orders_90d``."""
        subject = "_".join(part.removesuffix("_id").removesuffix("_address") for part in self.key)
        what = {"count": "orders", "sum": self.column, "nunique": _plural(self.column)}[self.function]
        return f"{subject}_{what}_{self.window}"


def _plural(column: str | None) -> str:
    return f"{(column or '').removesuffix('_id')}s"


def _over(
    entity: Entity,
    key: str | tuple[str, ...],
    function: Function,
    windows: Sequence[str],
    column: str | None = None,
) -> tuple[Aggregate, ...]:
    keys = (key,) if isinstance(key, str) else key
    return tuple(Aggregate(entity, keys, function, window, column) for window in windows)


AGGREGATES: tuple[Aggregate, ...] = (
    *_over("buyer", "buyer_id", "count", ("1h", "24h", "7d", "30d", "90d")),
    *_over("buyer", "buyer_id", "nunique", ("30d",), "seller_id"),
    *_over("buyer", "buyer_id", "sum", ("30d",), "total_minor"),
    *_over("buyer", "buyer_id", "sum", ("30d",), "platform_discount_minor"),
    *_over("seller", "seller_id", "count", ("1h", "24h", "7d", "30d")),
    *_over("pair", ("buyer_id", "seller_id"), "count", ("24h", "7d", "30d", "90d")),
    *_over("device", "device_id", "count", ("1h", "24h", "30d")),
    *_over("device", "device_id", "nunique", ("30d",), "buyer_id"),
    *_over("device", "device_id", "sum", ("30d",), "platform_discount_minor"),
    *_over("payment", "payment_id", "nunique", ("30d",), "buyer_id"),
    *_over("address", "recipient_phone", "nunique", ("30d",), "buyer_id"),
    *_over("address", "ip_address", "count", ("1h", "24h")),
    *_over("address", "ip_address", "nunique", ("24h",), "buyer_id"),
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_NAMES = Names([aggregate.name for aggregate in AGGREGATES])
_IS_COUNT = np.array([aggregate.function == "count" for aggregate in AGGREGATES])
_SUMS = [f"orders.{aggregate.column}" if aggregate.function == "sum" else None for aggregate in AGGREGATES]


def judged(seen: Floats, values: Floats, market: Collection[str]) -> Stack:
    """The null and hot-key rules of the contract, for whoever counts by other means than the batch.

    Parameters
    ----------
    seen
        Orders in each of ``AGGREGATES``' windows, shape (orders, aggregates), NaN where there is no such key.
    values
        What is summed up or told apart of them, NaN where nobody knows an amount; nothing for a count.
    market
        The columns (``orders.NAME``) that the market tells at all.

    Returns
    -------
    Stack
        Of each order the aggregates, NaN as the contract says.
    """
    told = np.array([sums in market for sums in _SUMS])
    found = np.empty(seen.shape)
    _judge(seen, values, told, _IS_COUNT, HOT_KEY_LIMIT, found)
    return Stack(_NAMES, found.T)


@compiled
def _judge(seen: Floats, values: Floats, told: Flags, is_count: Flags, limit: int, found: Floats) -> None:
    for order in range(len(seen)):
        for at in range(len(told)):
            count = seen[order, at]
            if np.isnan(count):
                found[order, at] = np.nan
            elif is_count[at]:
                found[order, at] = min(count, limit)
            elif count > limit:
                found[order, at] = np.nan
            else:
                found[order, at] = 0.0 if told[at] and count == 0 else values[order, at]


_NULL_MEANS: dict[Function, str] = {
    "count": "",
    "sum": f", the key is hotter than {HOT_KEY_LIMIT} orders of the currency in the window, or orders are "
    "there and none has an amount",
    "nunique": f", or the key is hotter than {HOT_KEY_LIMIT} orders in the window",
}


def _describe(aggregate: Aggregate) -> Feature:
    key = " and ".join(aggregate.key)
    what = {
        "count": "orders",
        "sum": f"{aggregate.column} (minor units of the order's currency)",
        "nunique": f"distinct {aggregate.column}",
    }[aggregate.function]
    columns = [*aggregate.key, *([aggregate.column] if aggregate.column else [])]
    return Feature(
        name=aggregate.name,
        meaning=f"Number or amount of {what} with the same {key} in the {aggregate.window} before the order.",
        null_means=f"The order has no {key}{_NULL_MEANS[aggregate.function]}.",
        needs=tuple(f"orders.{column}" for column in columns),
        kind="window",
        entity=aggregate.entity,
        window=aggregate.window,
    )


FEATURES: tuple[Feature, ...] = tuple(_describe(aggregate) for aggregate in AGGREGATES)
