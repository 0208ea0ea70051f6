"""Trailing windows of a handful of orders, over columns of all orders that are held in memory.

Every key of a history has the list of its orders in turn of time, found by a hash table. A window is what lies
between two places of a list, so that the orders of a busy shop are counted without being looked at. A list
that is full moves to where there is twice the room.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from features.velocity import AGGREGATES, HOT_KEY_LIMIT, WINDOW_HOURS
from features.window_columns import AMOUNTS, IDS, READINGS, OrderColumns, reading_of

__all__ = ["WindowIndex"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Places = NDArray[np.int32]

_HOUR = 3_600_000_000
_COUNT, _DISTINCT, _SUM = range(3)

_KEYS = np.array([[IDS.index(n) for n in r] + [-1] * (2 - len(r)) for r in READINGS])
"""The columns of each reading, two at most; −1 where there is no second."""


def _wanted() -> Ints:
    """The aggregates as numbers: reading, microseconds, what is made of the orders, and of which of their columns."""
    columns = {"count": (_COUNT, ()), "nunique": (_DISTINCT, IDS), "sum": (_SUM, AMOUNTS)}
    wanted = []
    for each in AGGREGATES:
        made, names = columns[each.function]
        column = names.index(each.column) if each.column else -1
        wanted.append((READINGS.index(reading_of(each)), WINDOW_HOURS[each.window] * _HOUR, made, column))
    return np.array(wanted, dtype=np.int64)


_WANTED = _wanted()
_BEGIN, _LENGTH, _ROOM = range(3)
_ROWS, _NUMBERS, _PLACES = range(3)


class _Held(NamedTuple):
    """What is held, with room for more.

    Attributes
    ----------
    times, codes, amounts
        Orders by row, as ``OrderColumns``.
    table
        A key's number, from 1, at the place that its last bits name, or the next that was free.
    keys, lists
        By a key's number: the key; where its list begins, its length, and the room that it has there.
    places
        The lists: rows.
    used
        How many rows, numbers and places are in use.
    """

    times: Ints
    codes: Ints
    amounts: Floats
    table: Places
    keys: Ints
    lists: Places
    places: Places
    used: Ints


class WindowIndex:
    """Orders that windows are looked up among."""

    def __init__(self) -> None:
        self._held = _Held(
            np.empty(0, dtype=np.int64),
            np.empty((0, len(IDS)), dtype=np.int64),
            np.empty((0, len(AMOUNTS))),
            np.zeros(1, dtype=np.int32),
            np.empty(0, dtype=np.int64),
            np.empty((0, 3), dtype=np.int32),
            np.empty(0, dtype=np.int32),
            np.zeros(3, dtype=np.int64),
        )

    def add(self, columns: OrderColumns) -> None:
        """Tell of more orders."""
        if len(columns.times) > 1:
            columns = columns.taken(columns.times.argsort())  # so that lists grow at their ends
        done = int(self._held.used[_ROWS])
        end = done + len(columns.times)
        while end > len(self._held.times):
            self._double("times", "codes", "amounts")
        self._held.times[done:end], self._held.codes[done:end], self._held.amounts[done:end] = columns
        while done < end:
            done = _enter(self._held, _KEYS, done, end)
            if done < end:
                self._make_room()
        self._held.used[_ROWS] = end

    def remove(self, columns: OrderColumns) -> bool:
        """Take orders back that were told with just these columns; False where one was not, and the index is spoilt."""
        return _withdraw(self._held, _KEYS, *columns)

    def look_up(self, orders: OrderColumns) -> tuple[Floats, Floats]:
        """Orders seen and value of each of ``velocity.AGGREGATES``, shape (orders, aggregates).

        Seen is NaN where the order has no such key. The value is NaN for a count, where more than
        ``HOT_KEY_LIMIT`` orders are seen, and for a sum of which nobody knows an amount.
        """
        seen, values = np.empty((2, len(orders.times), len(AGGREGATES)))
        _look_up(self._held, _KEYS, _WANTED, HOT_KEY_LIMIT, orders.times, orders.codes, seen, values)
        return seen, values

    def _double(self, *names: str) -> None:
        """Twice the room in arrays; what is new there is not touched before it is used."""
        for name in names:
            held = getattr(self._held, name)
            more = np.empty((max(2 * len(held), 1024), *held.shape[1:]), held.dtype)
            more[: len(held)] = held
            self._held = self._held._replace(**{name: more})

    def _make_room(self) -> None:
        """Twice the room where it is short: for places, or for keys, which then have to be found elsewhere."""
        if self._held.used[_NUMBERS] + len(READINGS) <= len(self._held.keys):
            self._double("places")
            return
        self._double("keys", "lists")
        self._held = self._held._replace(table=np.zeros(2 * len(self._held.keys), dtype=np.int32))
        _number_again(self._held)


@compiled
def _key(codes: Ints, row: int, reading: int, columns: Ints) -> np.int64:
    """A number for what an order has in common with the others of a history; 0 where it is null."""
    one = np.uint64(codes[row, columns[0]])
    other = np.uint64(1) if columns[1] < 0 else np.uint64(codes[row, columns[1]])
    if one == 0 or other == 0:
        return np.int64(0)
    mixed = one * np.uint64(0x9E3779B97F4A7C15) + other * np.uint64(0xC2B2AE3D27D4EB4F)
    return np.int64(mixed >> np.uint64(5)) | np.int64(reading + 1) << np.int64(59)


@compiled
def _at(held: _Held, key: np.int64) -> int:
    """The place in the table where the key is, or would be."""
    last = len(held.table) - 1
    at = int(key) & last
    while held.table[at] and held.keys[held.table[at] - 1] != key:
        at = (at + 1) & last
    return at


@compiled
def _before(held: _Held, number: int, time: np.int64) -> int:
    """How many orders of a list were placed before ``time``."""
    begin = held.lists[number, _BEGIN]
    low, high = 0, int(held.lists[number, _LENGTH])
    if high and held.times[held.places[begin + high - 1]] < time:
        return high  # most look back from now
    while low < high:
        middle = (low + high) // 2
        if held.times[held.places[begin + middle]] < time:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _number_again(held: _Held) -> None:
    """Enter all keys in an empty table."""
    for number in range(held.used[_NUMBERS]):
        held.table[_at(held, held.keys[number])] = number + 1


@compiled
def _enter(held: _Held, readings: Ints, first: int, end: int) -> int:
    """Enter rows from ``first`` on in the lists of their keys; the first for which there is no room, or the end."""
    for row in range(first, end):
        if not _has_room(held, readings, row):
            return row
        for reading in range(len(readings)):
            key = _key(held.codes, row, reading, readings[reading])
            if key:
                _insert(held, key, row)
    return end


@compiled
def _has_room(held: _Held, readings: Ints, row: int) -> bool:
    """Whether a row can be entered, whichever of its lists have to move."""
    places = held.used[_PLACES]
    for reading in range(len(readings)):
        number = held.table[_at(held, _key(held.codes, row, reading, readings[reading]))] - 1
        places += 1 if number < 0 else 2 * held.lists[number, _ROOM]
    numbers = held.used[_NUMBERS] + len(readings)
    return bool(places <= len(held.places) and numbers <= len(held.keys))


@compiled
def _insert(held: _Held, key: np.int64, row: int) -> None:
    """Enter a row in the list of a key, in turn of time."""
    at = _at(held, key)
    if not held.table[at]:
        held.keys[held.used[_NUMBERS]] = key
        held.lists[held.used[_NUMBERS]] = 0
        held.used[_NUMBERS] += 1
        held.table[at] = held.used[_NUMBERS]
    number = held.table[at] - 1
    length = held.lists[number, _LENGTH]
    if length == held.lists[number, _ROOM]:
        _move(held, number)
    begin, time = held.lists[number, _BEGIN], held.times[row]
    place = begin + length
    if length and held.times[held.places[place - 1]] > time:  # most orders are the latest
        place = begin + _before(held, number, time)
        for later in range(begin + length, place, -1):
            held.places[later] = held.places[later - 1]
    held.places[place] = row
    held.lists[number, _LENGTH] = length + 1


@compiled
def _move(held: _Held, number: int) -> None:
    """Give a list twice the room, behind all others."""
    begin, length, room = held.lists[number]
    to = held.used[_PLACES]
    for step in range(length):
        held.places[to + step] = held.places[begin + step]
    held.lists[number, _BEGIN] = to
    held.lists[number, _ROOM] = max(1, 2 * room)
    held.used[_PLACES] += held.lists[number, _ROOM]


@compiled
def _withdraw(held: _Held, readings: Ints, times: Ints, codes: Ints, amounts: Floats) -> bool:
    """Take an equal row out of each list that these orders are in; False as soon as there is none."""
    for order in range(len(times)):
        for reading in range(len(readings)):
            key = _key(codes, order, reading, readings[reading])
            if key:
                number = held.table[_at(held, key)] - 1
                if number < 0:
                    return False
                end = held.lists[number, _BEGIN] + held.lists[number, _LENGTH]
                place = held.lists[number, _BEGIN] + _before(held, number, times[order])
                while place < end and not _equal(held, held.places[place], codes[order], amounts[order]):
                    place += 1
                if place == end:
                    return False
                for later in range(place, end - 1):
                    held.places[later] = held.places[later + 1]
                held.lists[number, _LENGTH] -= 1
    return True


@compiled
def _equal(held: _Held, row: int, codes: Ints, amounts: Floats) -> bool:
    for column in range(len(codes)):
        if held.codes[row, column] != codes[column]:
            return False
    for column in range(len(amounts)):
        one, other = held.amounts[row, column], amounts[column]
        if one != other and not (np.isnan(one) and np.isnan(other)):
            return False
    return True


@compiled
def _look_up(
    held: _Held,
    readings: Ints,
    wanted: Ints,
    limit: int,
    times: Ints,
    codes: Ints,
    seen: Floats,
    values: Floats,
) -> None:
    """Fill in ``seen`` and ``values`` of some orders, see ``WindowIndex.look_up``."""
    seen[:], values[:] = np.nan, np.nan
    found = np.empty(limit, dtype=np.int64)
    for order in range(len(times)):
        known, key, number, end = -1, np.int64(0), -1, 0
        for each in range(len(wanted)):
            reading, length, made, column = wanted[each]
            if reading != known:  # aggregates of one reading stand together
                known, key = reading, _key(codes, order, reading, readings[reading])
                number = held.table[_at(held, key)] - 1
                end = 0 if number < 0 else _before(held, number, times[order])
            if key == 0:
                continue
            rows = held.places[:0]
            if end:
                first = held.lists[number, _BEGIN]
                rows = held.places[first + _before(held, number, times[order] - length) : first + end]
            seen[order, each] = len(rows)
            if made != _COUNT and len(rows) <= limit:
                values[order, each] = (
                    _distinct(held.codes, rows, column, found)
                    if made == _DISTINCT
                    else _sum(held.amounts, rows, column)
                )


@compiled
def _distinct(codes: Ints, rows: Places, column: int, found: Ints) -> int:
    """How many different values the rows have; ``found`` is room to work in."""
    count = 0
    for row in rows:
        if codes[row, column]:
            found[count] = codes[row, column]
            count += 1
    found[:count].sort()
    different = min(count, 1)
    for at in range(1, count):
        different += found[at] != found[at - 1]
    return different


@compiled
def _sum(amounts: Floats, rows: Places, column: int) -> float:
    """The sum of the amounts that are known, NaN where none is."""
    total, known = 0.0, False
    for row in rows:
        if not np.isnan(amounts[row, column]):
            total += amounts[row, column]
            known = True
    return total if known else np.nan
