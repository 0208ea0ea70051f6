"""Trailing windows by indexed look-up: ``features.velocity.AGGREGATES`` compiled for a handful of orders.

One statement for any number of orders. It looks back from each order's own time, so it does not matter when
a fact arrived, and reads at most ``HOT_KEY_LIMIT + 1`` rows per key, the latest first: whatever window holds
no more than the limit is then read whole, and of a hotter one only the capped count is wanted.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import JSON as Document
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    null,
    select,
    type_coerce,
)

from detector.store.columns import to_micros
from detector.store.facts import FACTS
from features.velocity import AGGREGATES, HOT_KEY_LIMIT, WINDOW_HOURS, Aggregate

__all__ = ["json_rows", "window_values"]

Floats = NDArray[np.float64]

_HOUR = 3_600_000_000
_ORDERS = FACTS["orders"]
_KEYS = tuple(sorted({key for aggregate in AGGREGATES for key in aggregate.key}))
_ASKED = {"i": Integer, "t": BigInteger, "currency": Text, **dict.fromkeys(_KEYS, Text)}


@dataclass(frozen=True, slots=True)
class _Reading:
    """One look at the latest orders of a key, of the order's own currency only where money is summed."""

    key: tuple[str, ...]
    own_currency: bool
    aggregates: tuple[Aggregate, ...]


def _readings() -> tuple[_Reading, ...]:
    found: dict[tuple[tuple[str, ...], bool], list[Aggregate]] = {}
    for aggregate in AGGREGATES:
        found.setdefault((aggregate.key, aggregate.function == "sum"), []).append(aggregate)
    return tuple(_Reading(*subject, tuple(aggregates)) for subject, aggregates in found.items())


_READINGS = _readings()
_AGGREGATES = tuple(aggregate for reading in _READINGS for aggregate in reading.aggregates)
_NAMES = tuple(aggregate.name for aggregate in _AGGREGATES)
_IS_COUNT, _IS_SUM = (np.array([a.function == kind for a in _AGGREGATES]) for kind in ("count", "sum"))


def window_values(
    connection: Connection, orders: Sequence[Mapping[str, Any]], market: Collection[str]
) -> dict[str, Floats]:
    """Every window aggregate of some orders, as of each one's own ``created_at``.

    Parameters
    ----------
    orders
        Rows as they are stored (veiled); they need not be stored.
    market
        The ``features.online.MARKET_COLUMNS`` that the market tells: the sum of what nobody tells is null.

    Returns
    -------
    dict of float64 arrays, shape (orders,)
        Aggregate name → values, NaN as the contract of a window says.
    """
    asked = [
        {"i": i, "t": to_micros(order["created_at"]), "currency": order["currency"]}
        | {key: order.get(key) for key in _KEYS}
        for i, order in enumerate(orders)
    ]
    found = connection.execute(_statement(connection.dialect.name), {"rows": json.dumps(asked)}).all()
    read = json.loads(f"[{','.join(f'[{row[1]}]' for row in found)}]")
    table = np.full((len(orders), 2 * len(_NAMES)), np.nan)
    table[[row[0] for row in found]] = np.array(read, dtype=np.float64)  # None becomes NaN
    values = _judged(table[:, ::2], table[:, 1::2], market)
    return {name: values[:, at] for at, name in enumerate(_NAMES)}


def _judged(seen: Floats, value: Floats, market: Collection[str]) -> Floats:
    """The null and hot-key rules of ``velocity``; columns are aggregates, NaN seen where there is no key."""
    told = _IS_SUM & np.array([f"orders.{aggregate.column}" in market for aggregate in _AGGREGATES])
    value = np.where(told & (seen == 0), 0.0, value)
    value = np.where(seen <= HOT_KEY_LIMIT, value, np.nan)
    return np.where(_IS_COUNT, np.minimum(seen, HOT_KEY_LIMIT), value)


@cache
def _statement(dialect: str) -> Select[Any]:
    asked = json_rows(dialect, "asked", "rows", _ASKED)
    return select(asked.c.i, _joined([_read(asked, reading) for reading in _READINGS]))


def _read(asked: FromClause, reading: _Reading) -> ColumnElement[str]:
    """JSON numbers, comma between: orders seen and value per aggregate, nulls where the order has no such key."""
    longest = max(WINDOW_HOURS[aggregate.window] for aggregate in reading.aggregates) * _HOUR
    columns = sorted({aggregate.column for aggregate in reading.aggregates if aggregate.column})
    created_at = type_coerce(_ORDERS.c.created_at, BigInteger)
    same = [_ORDERS.c[part] == asked.c[part] for part in reading.key]
    if reading.own_currency:
        same.append(_ORDERS.c.currency == asked.c.currency)
    latest = (
        select(created_at.label("created_at"), *(_ORDERS.c[name] for name in columns))
        .where(*same, created_at >= asked.c.t - _literal(longest), created_at < asked.c.t)
        .order_by(created_at.desc())
        .limit(_literal(HOT_KEY_LIMIT + 1))
        .correlate(asked)
        .subquery()
    )
    parts: list[ColumnElement[Any]] = []
    for aggregate in reading.aggregates:
        inside = latest.c.created_at >= asked.c.t - _literal(WINDOW_HOURS[aggregate.window] * _HOUR)
        parts += [func.count().filter(inside), _value(aggregate, latest, inside)]
    whole = select(_joined(parts)).select_from(latest).correlate(asked).scalar_subquery()
    known = and_(*(asked.c[part].is_not(None) for part in reading.key))
    return case((known, whole), else_=_quoted(",".join(["null"] * len(parts))))


def _joined(parts: Sequence[ColumnElement[Any]]) -> ColumnElement[str]:
    """The numbers as text with commas between."""
    texts = [func.coalesce(cast(part, Text), _quoted("null")) for part in parts]
    return reduce(lambda left, right: left.concat(_quoted(",")).concat(right), texts)


def _quoted(text: str) -> ColumnElement[str]:
    return literal_column(f"'{text}'", Text)


def _literal(number: int) -> ColumnElement[int]:
    """Written into the statement: a hundred parameters would cost more than the look-up."""
    return literal_column(str(number), BigInteger)


def _value(aggregate: Aggregate, latest: FromClause, inside: ColumnElement[bool]) -> ColumnElement[Any]:
    if aggregate.column is None:
        return null()
    wanted = case((inside, latest.c[aggregate.column]))
    return func.sum(wanted) if aggregate.function == "sum" else func.count(wanted.distinct())


def json_rows(dialect: str, name: str, parameter: str, columns: Mapping[str, type[Any]]) -> FromClause:
    """Rows given as one JSON parameter (a list of objects), as a relation to select from and join with."""
    if dialect == "postgresql":
        typed = [column(part, kind) for part, kind in columns.items()]
        document = func.json_to_recordset(cast(bindparam(parameter, type_=Text), Document))
        return document.table_valued(*typed, name=name).render_derived(with_types=True)
    each = func.json_each(bindparam(parameter, type_=Text)).table_valued("value", name=f"{name}_rows")
    parts = [
        type_coerce(func.json_extract(each.c.value, literal_column(f"'$.{part}'")), kind()).label(part)
        for part, kind in columns.items()
    ]
    return select(*parts).cte(name).prefix_with("MATERIALIZED")  # else every use parses the JSON again
