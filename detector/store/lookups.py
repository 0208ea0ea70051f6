"""Trailing windows by indexed look-up: ``features.velocity.AGGREGATES`` for a handful of orders.

A window goes back from the order's own time, so it does not matter when a fact arrived. Of a key at most
``_MOST`` orders are read, the latest first, into a history that later orders are added to: whatever window
holds no more than ``HOT_KEY_LIMIT`` is then answered whole, and of a hotter one only the capped count is wanted.
Where a history begins too late for that, an old order of a key that is hot since, the database is asked for
the ``HOT_KEY_LIMIT + 1`` orders before it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, Select, bindparam, literal_column, select, type_coerce

from detector.store.columns import to_micros
from detector.store.database import keeps
from detector.store.facts import FACTS
from detector.store.histories import Histories, History, histories
from detector.store.prepared import Question
from features.velocity import AGGREGATES, HOT_KEY_LIMIT, WINDOW_HOURS, Aggregate

__all__ = ["latest_orders", "retell", "window_values"]

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
        What is read of each order beside its time: what is the same, what is counted or summed.
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
        place = {name: at for at, name in enumerate(columns)}
        windows = [WINDOW_HOURS[one.window] * 3_600_000_000 for one in aggregates]
        asked = (
            _Asked(one, window, place[one.column] if one.column else None)
            for one, window in zip(aggregates, windows, strict=True)
        )
        yield _Reading(
            key, tuple(same), tuple(asked), columns, tuple(place[name] for name in same), max(windows)
        )


_READINGS = tuple(_readings())
_COLUMNS = {reading.key: reading.columns for reading in _READINGS}
_LONGEST = {key: max(reading.longest for reading in _READINGS if reading.key == key) for key in _COLUMNS}
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
    known = histories(connection)
    seen = {key: list(_seen(connection, known, key, orders, times)) for key in _COLUMNS}
    answers = [_numbers(connection, reading, orders, seen[reading.key]) for reading in _READINGS]
    table = np.array([list(chain.from_iterable(row)) for row in zip(*answers, strict=True)], dtype=np.float64)
    values = _judged(table[:, ::2], table[:, 1::2], market)  # None has become NaN
    return {name: values[:, at] for at, name in enumerate(_NAMES)}


def _judged(seen: Floats, value: Floats, market: Collection[str]) -> Floats:
    """The null and hot-key rules of ``velocity``; columns are aggregates, NaN seen where there is no key."""
    told = _IS_SUM & np.array([f"orders.{aggregate.column}" in market for aggregate in _AGGREGATES])
    value = np.where(told & (seen == 0), 0.0, value)
    value = np.where(seen <= HOT_KEY_LIMIT, value, np.nan)
    return np.where(_IS_COUNT, np.minimum(seen, HOT_KEY_LIMIT), value)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Orders of a key before ``time`` in its longest window, the earliest first.

    ``is_whole``: all of them; else those from some instant on, more than ``HOT_KEY_LIMIT``.
    """

    time: int
    times: list[int]
    told: list[tuple[Any, ...]]
    is_whole: bool

    def begin(self, window: int) -> int:
        """Where the window that ends at ``time`` begins."""
        return bisect_left(self.times, self.time - window)

    def like(self, same: Sequence[tuple[int, Any]]) -> _Seen:
        """Those that have these values at these positions."""
        rows = [n for n, row in enumerate(self.told) if all(row[at] == value for at, value in same)]
        return _Seen(self.time, [self.times[n] for n in rows], [self.told[n] for n in rows], self.is_whole)


def _seen(
    connection: Connection, known: Histories, key: str, orders: Sequence[Row], times: Sequence[int]
) -> Iterator[_Seen | None]:
    """What each order sees of its key; None without one."""
    question = _latest(connection.dialect.name, key, ())
    values = [order.get(key) for order in orders]
    of = {value: known.get((key, value)) for value in values if value is not None}
    earliest: dict[Any, int] = {}
    for value, time in zip(values, times, strict=True):
        if value is not None and of[value] is None:
            earliest[value] = min(time, earliest.get(value, time))
    asked = [
        (value, time - _LONGEST[key] - _OUT_OF_TURN, _FOR_EVER, _MOST) for value, time in earliest.items()
    ]
    for (value, since, _, _), found in zip(asked, question.ask(connection, asked), strict=True):
        of[value] = read = _history(since, found)
        known.keep((key, value), read)
    for value, time in zip(values, times, strict=True):
        if (history := of.get(value)) is None:
            yield None
            continue
        since = time - _LONGEST[key]
        cut, end = bisect_left(history.times, since), bisect_left(history.times, time)
        if history.since <= since or end - cut > HOT_KEY_LIMIT:
            yield _Seen(time, history.times[cut:end], history.told[cut:end], history.since <= since)
        else:
            yield _asked(connection, question, (value,), time, _LONGEST[key])


_MOST = 2 * HOT_KEY_LIMIT + 2
_OUT_OF_TURN = 86_400_000_000
"""A history is read a day longer than the order needs: the next one may be placed before it."""
_FOR_EVER = 2**63 - 1


def _history(since: int, found: list[tuple[Any, ...]]) -> History:
    """The history of rows with the time first, the latest first, that were read up to ``_MOST``."""
    if len(found) == _MOST:
        since = found[-1][0] + 1
        found = [row for row in found if row[0] >= since]
    found.reverse()
    return History(since, [row[0] for row in found], [row[1:] for row in found])


def _asked(
    connection: Connection, question: Question, key: tuple[Any, ...], time: int, longest: int
) -> _Seen:
    """What is seen of a key whose history is not known from so early on."""
    [found] = question.ask(connection, [(*key, time - longest, time, HOT_KEY_LIMIT + 1)])
    found.reverse()
    return _Seen(time, [row[0] for row in found], [row[1:] for row in found], len(found) <= HOT_KEY_LIMIT)


def retell(connection: Connection, orders: Iterable[Row]) -> None:
    """Orders are about to be stored: they take their places in the histories, and lose those they had.

    A history that an order leaves is forgotten; that is rare, and it is read again.
    """
    if not keeps(connection):
        return
    known = histories(connection)
    latest = {order["order_id"]: order for order in orders}
    asked = _places(connection.dialect.name).ask(connection, [(order_id,) for order_id in latest])
    for rows in asked:
        for values in rows:
            known.forget(zip(_COLUMNS, values, strict=True))
    for order in latest.values():
        for key, columns in _COLUMNS.items():
            known.add((key, order[key]), order, columns, 2 * _MOST)


@cache
def _places(dialect: str) -> Question:
    same = _ORDERS.c.order_id == bindparam("order_id")
    return Question(dialect, select(*(_ORDERS.c[key] for key in _COLUMNS)).where(same), ("order_id",))


def _numbers(
    connection: Connection, reading: _Reading, orders: Sequence[Row], seen: Sequence[_Seen | None]
) -> Iterator[Answer]:
    """Orders seen and value per aggregate, of each order; nothing where it has no such key."""
    unknown: Answer = (None,) * (2 * len(reading.aggregates))
    nothing: Answer = [
        number for one in reading.aggregates for number in _number(one, _Seen(0, [], [], True))
    ]
    for order, one in zip(orders, seen, strict=True):
        wanted = [order[name] for name in reading.same]
        if one is None or None in wanted:
            yield unknown
            continue
        if reading.same and one.is_whole:
            one = one.like(list(zip(reading.same_at, wanted, strict=True)))
        elif reading.same:  # too hot to be read whole; what is the same is read up to the limit on its own
            question = _latest(connection.dialect.name, reading.key, reading.same)
            one = _asked(connection, question, (order[reading.key], *wanted), one.time, reading.longest)
        yield (
            [number for asked in reading.aggregates for number in _number(asked, one)]
            if one.times
            else nothing
        )


def _number(asked: _Asked, seen: _Seen) -> Answer:
    begin = seen.begin(asked.window)
    count = len(seen.times) - begin
    if asked.at is None:
        return count, None
    values = [row[asked.at] for row in seen.told[begin:] if row[asked.at] is not None]
    if asked.aggregate.function == "nunique":
        return count, len(set(values))
    return count, sum(values) if values else None


@cache
def _latest(dialect: str, key: str, same: tuple[str, ...]) -> Question:
    return Question(dialect, latest_orders(key, same, _COLUMNS[key]), (key, *same, "since", "until", "most"))


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
        .limit(bindparam("most", type_=BigInteger))
        .offset(literal_column("0"))  # SQLite's dialect would make it a parameter
    )
