"""Trailing windows by indexed look-up: ``features.velocity.AGGREGATES`` for a handful of orders.

A look-up goes back from the order's own time, so it does not matter when a fact arrived, and reads at most
``HOT_KEY_LIMIT + 1`` orders of a key, the latest first: whatever window holds no more than the limit is then
read whole, and of a hotter one only the capped count is wanted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, Select, bindparam, func, literal_column, select, type_coerce

from detector.store.columns import to_micros
from detector.store.facts import FACTS
from detector.store.prepared import Question
from features.velocity import AGGREGATES, HOT_KEY_LIMIT, WINDOW_HOURS, Aggregate

__all__ = ["latest_orders", "window_values"]

Floats = NDArray[np.float64]
Row = Mapping[str, Any]
Answer = Sequence[float | None]

_ORDERS = FACTS["orders"]
_CREATED_AT = type_coerce(_ORDERS.c.created_at, BigInteger)


@dataclass(frozen=True, slots=True)
class _Asked:
    """An aggregate of a reading: its window in microseconds, and where its column stands among those read."""

    aggregate: Aggregate
    window: int
    at: int | None


@dataclass(frozen=True, slots=True)
class _Reading:
    """One look at the latest orders of a key, among them those that are the ``same`` in further columns.

    Attributes
    ----------
    columns
        What is read of each order after its time: what is the same, what is counted or summed.
    same_at
        Where the columns that are the same stand among those read.
    longest
        The longest window, in microseconds.
    """

    key: str
    same: tuple[str, ...]
    aggregates: tuple[_Asked, ...]
    columns: tuple[str, ...]
    same_at: tuple[int, ...]
    longest: int


def _readings() -> Iterator[_Reading]:
    """Money is summed within the order's own currency only."""
    found: dict[tuple[str, ...], list[Aggregate]] = {}
    for aggregate in AGGREGATES:
        own = ("currency",) if aggregate.function == "sum" else ()
        found.setdefault((*aggregate.key, *own), []).append(aggregate)
    read: dict[str, set[str]] = {}
    for (key, *same), aggregates in found.items():
        read.setdefault(key, set()).update(same, (one.column for one in aggregates if one.column))
    for (key, *same), aggregates in found.items():
        columns = tuple(sorted(read[key]))
        place = {name: 1 + at for at, name in enumerate(columns)}
        windows = [WINDOW_HOURS[one.window] * 3_600_000_000 for one in aggregates]
        asked = (
            _Asked(one, window, place[one.column] if one.column else None)
            for one, window in zip(aggregates, windows, strict=True)
        )
        yield _Reading(
            key, tuple(same), tuple(asked), columns, tuple(place[name] for name in same), max(windows)
        )


_READINGS = tuple(_readings())
_AGGREGATES = tuple(one.aggregate for reading in _READINGS for one in reading.aggregates)
_NAMES = tuple(aggregate.name for aggregate in _AGGREGATES)
_IS_COUNT, _IS_SUM = (np.array([a.function == kind for a in _AGGREGATES]) for kind in ("count", "sum"))


def window_values(
    connection: Connection, orders: Sequence[Row], market: Collection[str]
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
    times = [to_micros(order["created_at"]) for order in orders]
    read: dict[str, list[_History | None]] = {}
    table = np.empty((len(orders), 2 * len(_NAMES)))
    begin = 0
    for reading in _READINGS:
        end = begin + 2 * len(reading.aggregates)
        if not reading.columns:
            table[:, begin:end] = _counts(connection, reading, orders, times)
        else:
            if reading.key not in read:
                read[reading.key] = _histories(connection, reading.key, orders, times)
            found = _numbers(connection, reading, orders, read[reading.key])
            table[:, begin:end] = np.array(list(found), dtype=np.float64)  # None becomes NaN
        begin = end
    values = _judged(table[:, ::2], table[:, 1::2], market)
    return {name: values[:, at] for at, name in enumerate(_NAMES)}


def _judged(seen: Floats, value: Floats, market: Collection[str]) -> Floats:
    """The null and hot-key rules of ``velocity``; columns are aggregates, NaN seen where there is no key."""
    told = _IS_SUM & np.array([f"orders.{aggregate.column}" in market for aggregate in _AGGREGATES])
    value = np.where(told & (seen == 0), 0.0, value)
    value = np.where(seen <= HOT_KEY_LIMIT, value, np.nan)
    return np.where(_IS_COUNT, np.minimum(seen, HOT_KEY_LIMIT), value)


def _known(orders: Sequence[Row], key: str) -> list[int]:
    return [at for at, order in enumerate(orders) if order.get(key) is not None]


def _counts(connection: Connection, reading: _Reading, orders: Sequence[Row], times: Sequence[int]) -> Floats:
    """Orders seen in each window, beside a value that a count does not have."""
    windows = [one.window for one in reading.aggregates]
    known = _known(orders, reading.key)
    keys = [
        (*[t - window for window in windows], orders[at][reading.key], t - reading.longest, t)
        for at in known
        for t in (times[at],)
    ]
    found = np.full((len(orders), 2 * len(windows)), np.nan)
    if known:
        asked = _counting(connection.dialect.name, reading).ask(connection, keys)
        found[known, ::2] = [rows[0] for rows in asked]
    return found


@dataclass(frozen=True, slots=True)
class _History:
    """The latest orders of a key before ``time``, the latest first: times and ``columns``."""

    time: int
    rows: list[tuple[Any, ...]]

    @property
    def is_whole(self) -> bool:
        return len(self.rows) <= HOT_KEY_LIMIT

    def inside(self, window: int) -> list[tuple[Any, ...]]:
        """The orders of the window that ends at ``time``."""
        return self.rows[: bisect_right(self.rows, window - self.time, key=_age)]

    def like(self, same: Sequence[tuple[int, Any]]) -> _History:
        """Those that have these values at these positions."""
        return _History(self.time, [row for row in self.rows if all(row[at] == value for at, value in same)])


def _age(row: tuple[Any, ...]) -> int:
    return -int(row[0])


def _histories(
    connection: Connection, key: str, orders: Sequence[Row], times: Sequence[int]
) -> list[_History | None]:
    """The history of each order's key, as long as any reading's longest window; None without a key."""
    known = _known(orders, key)
    longest = max(reading.longest for reading in _READINGS if reading.key == key)
    keys = [(orders[at][key], times[at] - longest, times[at]) for at in known]
    found: list[_History | None] = [None] * len(orders)
    for at, rows in zip(known, _latest(connection.dialect.name, key, ()).ask(connection, keys), strict=True):
        found[at] = _History(times[at], rows)
    return found


def _numbers(
    connection: Connection, reading: _Reading, orders: Sequence[Row], histories: Sequence[_History | None]
) -> Iterator[Answer]:
    """Orders seen and value per aggregate, of each order; nothing where it has no such key."""
    unknown: Answer = (None,) * (2 * len(reading.aggregates))
    nothing: Answer = [number for one in reading.aggregates for number in _number(one, _History(0, []))]
    for order, history in zip(orders, histories, strict=True):
        wanted = [order[name] for name in reading.same]
        if history is None or None in wanted:
            yield unknown
            continue
        if not history.rows:
            yield nothing
            continue
        if reading.same and history.is_whole:
            history = history.like(list(zip(reading.same_at, wanted, strict=True)))
        elif reading.same:  # too hot to be read whole; what is the same is read up to the limit on its own
            question = _latest(connection.dialect.name, reading.key, reading.same)
            asked = (order[reading.key], *wanted, history.time - reading.longest, history.time)
            history = _History(history.time, question.ask(connection, [asked])[0])
        yield [number for one in reading.aggregates for number in _number(one, history)]


def _number(asked: _Asked, history: _History) -> Answer:
    inside = history.inside(asked.window)
    if asked.at is None:
        return len(inside), None
    values = [row[asked.at] for row in inside if row[asked.at] is not None]
    if asked.aggregate.function == "nunique":
        return len(inside), len(set(values))
    return len(inside), sum(values) if values else None


@cache
def _latest(dialect: str, key: str, same: tuple[str, ...]) -> Question:
    columns = next(reading.columns for reading in _READINGS if reading.key == key)
    return Question(dialect, latest_orders(key, same, columns), (key, *same, "since", "until"))


def latest_orders(key: str, same: tuple[str, ...], columns: Sequence[str]) -> Select[Any]:
    """The latest orders of a key in a time, of those that are the ``same`` in further columns."""
    return (
        select(_CREATED_AT.label("created_at"), *(_ORDERS.c[name] for name in columns))
        .where(
            *(_ORDERS.c[name] == bindparam(name) for name in (key, *same)),
            bindparam("since", type_=BigInteger) <= _CREATED_AT,
            bindparam("until", type_=BigInteger) > _CREATED_AT,
        )
        .order_by(_CREATED_AT.desc())
        .limit(literal_column(str(HOT_KEY_LIMIT + 1)))
        .offset(literal_column("0"))  # SQLite's dialect would make it a parameter
    )


@cache
def _counting(dialect: str, reading: _Reading) -> Question:
    """Counting is the database's: nobody wants the rows."""
    latest = latest_orders(reading.key, (), ()).subquery()
    begins = [f"since_{at}" for at in range(len(reading.aggregates))]
    counts = (
        func.count().filter(latest.c.created_at >= bindparam(name, type_=BigInteger)) for name in begins
    )
    return Question(dialect, select(*counts).select_from(latest), (*begins, reading.key, "since", "until"))
