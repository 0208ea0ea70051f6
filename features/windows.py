"""The trailing-window aggregates of ``velocity`` as one Ibis expression, for DuckDB, Spark and warehouses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis

from features.velocity import AGGREGATES, HOT_KEY_LIMIT, WINDOW_HOURS, Aggregate

__all__ = ["window_features"]

_HOUR = 3_600_000_000
"""Microseconds, the resolution of the contract's times."""


def window_features(
    orders: ibis.Table,
    aggregates: Sequence[Aggregate] = AGGREGATES,
    *,
    distinct_over_window: bool = True,
) -> ibis.Table:
    """The aggregates of every order as one table expression, for any engine that Ibis speaks.

    Parameters
    ----------
    orders
        The contract's ``orders`` with ``created_at`` as a UTC timestamp.
    aggregates
        Which ones; all when left out.
    distinct_over_window
        False for engines without a distinct count over a window (Spark): the values are collected and
        counted instead.

    Returns
    -------
    ibis.Table
        ``order_id`` and one double column per aggregate, null as the window contract says.
    """
    columns = {
        aggregate.name: _expression(orders, aggregate, distinct_over_window) for aggregate in aggregates
    }
    return orders.select("order_id", **columns)


def _expression(orders: ibis.Table, aggregate: Aggregate, distinct_over_window: bool) -> Any:
    group = [*aggregate.key, *(["currency"] if aggregate.function == "sum" else [])]
    # both bounds as microseconds: Spark wants one interval type for a frame
    length, instant = (ibis.interval(microseconds=n) for n in (WINDOW_HOURS[aggregate.window] * _HOUR, 1))
    window = ibis.window(group_by=group, order_by="created_at", between=(-length, -instant))
    seen = orders.count().over(window)
    value = _value(orders, aggregate, seen, window, distinct_over_window)
    known = orders[aggregate.key[0]].notnull()
    for column in aggregate.key[1:]:
        known &= orders[column].notnull()
    return known.ifelse(value, ibis.null()).cast("float64")


def _value(orders: ibis.Table, aggregate: Aggregate, seen: Any, window: Any, distinct: bool) -> Any:
    if aggregate.function == "count":
        return ibis.least(seen, HOT_KEY_LIMIT)
    column = orders[aggregate.column]
    if aggregate.function == "sum":
        nothing = (seen == 0) & (column.count().as_scalar() > 0)
        value = nothing.ifelse(0, column.sum().over(window))
    elif distinct:
        value = column.nunique().over(window)
    else:
        value = column.collect().over(window).unique().length().coalesce(0)
    return (seen <= HOT_KEY_LIMIT).ifelse(value, ibis.null())
