"""The orders that windows are looked up among, found by the indexes of PostgreSQL.

A window goes back from the order's own time, so it does not matter when a fact arrived. Of a key at most
``_MOST`` orders are read, the latest first: whatever window holds no more than ``HOT_KEY_LIMIT`` is then
answered whole, and of a hotter one only the capped count is wanted. Where what was read begins too late for
that, an old order of a key that is hot since, the database is asked for the ``HOT_KEY_LIMIT + 1`` orders
before it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, Select, bindparam, select, type_coerce

from detector.store.columns import to_micros
from detector.store.facts import FACTS, put
from detector.store.prepared import Question
from features.stack import Stack
from features.velocity import AGGREGATES, HOT_KEY_LIMIT, WINDOW_HOURS, Aggregate, judged

__all__ = ["OrdersInDatabase", "latest_orders"]

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
_IN_TURN = [
    [one.aggregate for reading in _READINGS for one in reading.aggregates].index(a) for a in AGGREGATES
]
"""Where the aggregates stand among those of all readings."""


class OrdersInDatabase:
    """A ``detector.store.windows.Windows`` that holds nothing itself."""

    def is_ready(self, connection: Connection) -> bool:
        """Always: nothing is read beforehand."""
        return True

    def prepare(self, connection: Connection) -> None:
        """There is nothing to do."""

    def put(self, connection: Connection, orders: Sequence[Row]) -> None:
        put(connection, "orders", orders)

    def values(self, connection: Connection, orders: Sequence[Row], market: Collection[str]) -> Stack:
        times = [to_micros(order["created_at"]) for order in orders]
        seen = {key: list(_seen(connection, key, orders, times)) for key in _COLUMNS}
        answers = [_numbers(connection, reading, orders, seen[reading.key]) for reading in _READINGS]
        told = [list(chain.from_iterable(row)) for row in zip(*answers, strict=True)]
        table = np.array(told, dtype=np.float64).reshape(-1, 2 * len(AGGREGATES))  # None has become NaN
        return judged(table[:, ::2][:, _IN_TURN], table[:, 1::2][:, _IN_TURN], market)


@dataclass(frozen=True, slots=True)
class _History:
    """Orders of a key from ``since`` on (microseconds), the earliest first: times, and what is read of each."""

    since: int
    times: list[int]
    told: list[tuple[Any, ...]]


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
    connection: Connection, key: str, orders: Sequence[Row], times: Sequence[int]
) -> Iterator[_Seen | None]:
    """What each order sees of its key; None without one."""
    question = _latest(key, ())
    values = [order.get(key) for order in orders]
    earliest: dict[Any, int] = {}
    for value, time in zip(values, times, strict=True):
        if value is not None:
            earliest[value] = min(time, earliest.get(value, time))
    asked = [(value, time - _LONGEST[key], _FOR_EVER, _MOST) for value, time in earliest.items()]
    answers = zip(asked, question.ask(connection, asked), strict=True)
    of = {value: _history(since, found) for (value, since, _, _), found in answers}
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
_FOR_EVER = 2**63 - 1


def _history(since: int, found: list[tuple[Any, ...]]) -> _History:
    """The history of rows with the time first, the latest first, that were read up to ``_MOST``."""
    if len(found) == _MOST:
        since = found[-1][0] + 1
        found = [row for row in found if row[0] >= since]
    found.reverse()
    return _History(since, [row[0] for row in found], [row[1:] for row in found])


def _asked(
    connection: Connection, question: Question, key: tuple[Any, ...], time: int, longest: int
) -> _Seen:
    """What is seen of a key whose history is not known from so early on."""
    [found] = question.ask(connection, [(*key, time - longest, time, HOT_KEY_LIMIT + 1)])
    found.reverse()
    return _Seen(time, [row[0] for row in found], [row[1:] for row in found], len(found) <= HOT_KEY_LIMIT)


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
            question = _latest(reading.key, reading.same)
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
def _latest(key: str, same: tuple[str, ...]) -> Question:
    return Question(
        "postgresql", latest_orders(key, same, _COLUMNS[key]), (key, *same, "since", "until", "most")
    )


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
    )
