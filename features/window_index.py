"""Trailing windows of a handful of orders, over columns of all orders that are held in memory.

Orders are kept as sorted runs, a few long ones and ever shorter newer ones (Bentley & Saxe 1980): what is new
is sorted into a run of its own, and runs of like length are merged, so that an order is sorted a logarithmic
number of times and looked for in a logarithmic number of runs. A run never changes. An order that is corrected
is taken back: its earlier row comes once more with the opposite sign, and whoever counts adds up signs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from features.velocity import AGGREGATES, HOT_KEY_LIMIT, WINDOW_HOURS
from features.window_columns import AMOUNTS, IDS, READINGS, OrderColumns, reading_of, together

__all__ = ["State", "WindowIndex"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

MOST_RECENT = 1024
"""Orders that are found by a dictionary before they become a run; of a busy shop all of them are looked through."""

FEW = 64
"""Orders told at once that the dictionary takes; of more, one key's would be found by each other one by one."""


_HOURS = sorted({WINDOW_HOURS[a.window] for a in AGGREGATES})
_WINDOWS = np.array([0, *_HOURS], dtype=np.int64) * 3_600_000_000
"""From a window's end to its beginning, microseconds; the first is the end itself."""
_SPAN_OF = [(READINGS.index(reading_of(a)), 1 + _HOURS.index(WINDOW_HOURS[a.window])) for a in AGGREGATES]
_SPANS = list(dict.fromkeys(_SPAN_OF))
"""What is looked up: a reading's history within a window, both by position."""
_AT = np.array([_SPANS.index(span) for span in _SPAN_OF])
"""The span of each aggregate."""
_BOUNDS = [*((reading, 0) for reading in range(len(READINGS))), *_SPANS]
"""Where each reading's windows end, and where each span begins."""
_BOUND_READING, _BOUND_WINDOW = np.array(_BOUNDS).T
_SPAN_READING, _SPAN_WINDOW = np.array(_SPANS).T
_SPAN_AT = np.full((len(READINGS), len(_WINDOWS)), -1)
_SPAN_AT[_SPAN_READING, _SPAN_WINDOW] = np.arange(len(_SPANS))

_TOLD_APART = np.full(len(_SPANS), len(IDS))
"""The column of which a span's different values are counted, one at most; without one, the column of ones."""
_VALUE_OF = np.zeros(len(AGGREGATES), dtype=np.int64)
"""The place of each aggregate's value behind nothing, the spans' different values, and the sums of each amount."""
for _number, _aggregate in enumerate(AGGREGATES):
    if _aggregate.function == "nunique" and _aggregate.column:
        _TOLD_APART[_AT[_number]] = IDS.index(_aggregate.column)
        _VALUE_OF[_number] = 1 + _AT[_number]
    elif _aggregate.function == "sum" and _aggregate.column:
        _VALUE_OF[_number] = 1 + (1 + AMOUNTS.index(_aggregate.column)) * len(_SPANS) + _AT[_number]
_VALUED = np.isin(np.arange(len(_SPANS)), _AT[_VALUE_OF > 0])
"""Spans whose orders are looked at; of the others their number is enough."""

_ROW_BITS = 32
_ROW = 2**_ROW_BITS - 1
_NO_RANK = 2**31 - 1


class _Asked(NamedTuple):
    """Orders whose windows are wanted: the ends of ``_WINDOWS`` (orders, windows), and the keys of the readings."""

    bounds: Ints
    keys: Ints


class _Found(NamedTuple):
    """Orders in spans: owner (the position of who asks, times spans, plus the span), and what is valued of them."""

    owner: Ints
    code: NDArray[np.uint64]
    amounts: Floats
    signs: Ints

    @classmethod
    def of(cls, owner: Ints, columns: OrderColumns, rows: Ints) -> Self:
        column = _TOLD_APART.take(owner % len(_SPANS))
        code = columns.codes[rows, column]
        return cls(owner, code, columns.amounts.take(rows, axis=0), columns.signs.take(rows))


class _Run:
    """Orders sorted for looking up."""

    def __init__(self, columns: OrderColumns) -> None:
        self.columns = columns = columns.taken(np.argsort(columns.times))
        keys, places, distinct = [], [], 0
        for number in range(len(READINGS)):  # one by one: memory is short, and the keys ascend as the tags do
            each = columns.keys(slice(number, number + 1))[:, 0]
            rows = np.flatnonzero(each)
            rows = rows[np.argsort(each[rows])]
            each = each[rows]
            is_first = np.ones(len(rows), dtype=bool)
            is_first[1:] = each[1:] != each[:-1]
            keys.append(each[is_first])
            places.append(np.sort((is_first.cumsum() + (distinct - 1) << _ROW_BITS) | rows))
            distinct += len(keys[-1])
        self._keys = np.concatenate([*keys, [2**63 - 1]])
        # rank of the key, then row, which is in turn of time: ascending
        self._places = np.concatenate(places)
        self._total: Ints | None = None
        if (columns.signs < 0).any():
            self._total = np.concatenate(([0], columns.signs[self._places & _ROW].cumsum()))

    def __len__(self) -> int:
        return len(self.columns.times)

    def spans(self, asked: _Asked) -> tuple[Ints, Ints, Ints]:
        """Where the orders of each span begin and end among the places, how many they are: (orders, spans)."""
        rank = self._keys.searchsorted(asked.keys)
        rank[self._keys.take(rank) != asked.keys] = _NO_RANK
        base = (rank << _ROW_BITS).take(_BOUND_READING, axis=1)
        rows = self.columns.times.searchsorted(asked.bounds).take(_BOUND_WINDOW, axis=1)
        bounds = self._places.searchsorted(base | rows)
        begins, ends = bounds[:, len(READINGS) :], bounds.take(_SPAN_READING, axis=1)
        if self._total is None:
            return begins, ends, ends - begins
        return begins, ends, self._total.take(ends) - self._total.take(begins)

    def found(self, owner: Ints, places: Ints) -> _Found:
        return _Found.of(owner, self.columns, self._places[places] & _ROW)


class _Recent:
    """The latest orders told, found by a dictionary."""

    def __init__(self) -> None:
        self.count = 0
        self._columns = OrderColumns(
            np.empty(MOST_RECENT, dtype=np.int64),
            np.empty((MOST_RECENT, len(IDS) + 1), dtype=np.uint64),
            np.empty((MOST_RECENT, len(AMOUNTS))),
            np.empty(MOST_RECENT, dtype=np.int64),
        )
        self._rows: dict[int, list[int]] = {}

    @property
    def columns(self) -> OrderColumns:
        return self._columns.taken(slice(self.count))

    def add(self, columns: OrderColumns) -> None:
        end = self.count + len(columns.times)
        for held, told in zip(self._columns, columns, strict=True):
            held[self.count : end] = told
        for row, keys in enumerate(columns.keys().tolist(), self.count):
            for key in keys:
                self._rows.setdefault(key, []).append(row)
        self.count = end

    def cut(self, count: int) -> None:
        """Forget what came after the first ``count`` orders."""
        for rows in self._rows.values():
            while rows and rows[-1] >= count:
                rows.pop()
        self.count = count

    def within(self, asked: _Asked) -> tuple[Ints, Ints]:
        """Owner and row of the orders in all spans."""
        met = [
            (position, reading, row)
            for position, keys in enumerate(asked.keys.tolist())
            for reading, key in enumerate(keys)
            if key
            for row in self._rows.get(key, ())
        ]
        position, reading, row = np.array(met, dtype=np.int64).reshape(-1, 3).T
        spans, bounds = _SPAN_AT.take(reading, axis=0), asked.bounds.take(position, axis=0)
        time = self._columns.times.take(row)[:, None]
        match, window = ((bounds <= time) & (time < bounds[:, :1]) & (spans >= 0)).nonzero()
        return position.take(match) * len(_SPANS) + spans[match, window], row.take(match)

    def counts(self, owner: Ints, rows: Ints, shape: tuple[int, int]) -> Ints:
        """How many orders each span has: shape (orders, spans)."""
        signs = self._columns.signs.take(rows)
        return np.bincount(owner, signs, shape[0] * shape[1]).reshape(shape).astype(np.int64)

    def found(self, owner: Ints, rows: Ints) -> _Found:
        return _Found.of(owner, self._columns, rows)


@dataclass(frozen=True, slots=True)
class State:
    """What an index held at some time."""

    runs: tuple[_Run, ...]
    recent: _Recent
    count: int


class WindowIndex:
    """Orders that windows are looked up among."""

    def __init__(self) -> None:
        self._runs: tuple[_Run, ...] = ()
        self._recent = _Recent()

    def add(self, columns: OrderColumns) -> None:
        """Tell of more orders."""
        count = len(columns.times)
        if count <= FEW and self._recent.count + count <= MOST_RECENT:
            self._recent.add(columns)
            return
        runs = [*self._runs, _Run(together([self._recent.columns, columns]))]
        while len(runs) > 1 and len(runs[-2]) <= 2 * len(runs[-1]):
            last = runs.pop()
            runs[-1] = _Run(together([runs[-1].columns, last.columns]))
        self._runs, self._recent = tuple(runs), _Recent()

    @property
    def state(self) -> State:
        return State(self._runs, self._recent, self._recent.count)

    def restore(self, state: State) -> None:
        """Forget what was told since then."""
        self._runs, self._recent = state.runs, state.recent
        self._recent.cut(state.count)

    def look_up(self, orders: OrderColumns) -> tuple[Floats, Floats]:
        """Orders seen and value of each of ``velocity.AGGREGATES``, shape (orders, aggregates).

        Seen is NaN where the order has no such key. The value is NaN for a count, where more than
        ``HOT_KEY_LIMIT`` orders are seen, and for a sum of which nobody knows an amount.
        """
        shape = len(orders.times), len(_SPANS)
        asked = _Asked(orders.times[:, None] - _WINDOWS, orders.keys())
        owner, rows = self._recent.within(asked)
        counts = self._recent.counts(owner, rows, shape)
        spans = [run.spans(asked) for run in self._runs]
        for _, _, count in spans:
            counts += count
        wanted = _VALUED & (counts > 0) & (counts <= HOT_KEY_LIMIT)
        chosen = wanted.take(owner)
        parts = [self._recent.found(owner[chosen], rows[chosen])]
        for run, (begins, ends, _) in zip(self._runs, spans, strict=True):
            parts.append(run.found(*_places(begins, ends, wanted)))
        values = _values(_Found(*map(np.concatenate, zip(*parts, strict=True))), shape)
        seen = np.where(asked.keys.take(_SPAN_READING, axis=1) == 0, np.nan, counts)
        return seen.take(_AT, axis=1), values


def _places(begins: Ints, ends: Ints, wanted: Flags) -> tuple[Ints, Ints]:
    """Every place between the beginnings and ends that are ``wanted``, and who owns it."""
    owner = (wanted & (begins < ends)).ravel().nonzero()[0]
    begin = begins.take(owner)
    lengths = ends.take(owner) - begin
    until = lengths.cumsum()
    within = np.arange(until[-1] if len(until) else 0)
    return owner.repeat(lengths), within + (begin - until + lengths).repeat(lengths)


def _values(found: _Found, shape: tuple[int, int]) -> Floats:
    """The value of each aggregate, shape (orders, aggregates)."""
    nothing = np.full((shape[0], 1), np.nan)
    return np.concatenate([nothing, _distinct(found, shape), _sums(found, shape)], axis=1).take(
        _VALUE_OF, axis=1
    )


def _distinct(found: _Found, shape: tuple[int, int]) -> Ints:
    """How many different values each span has: shape (orders, spans)."""
    turn = np.lexsort((found.code, found.owner))
    turn = turn[found.code.take(turn) != 0]
    owner, code = found.owner.take(turn), found.code.take(turn)
    is_first = np.ones(len(turn), dtype=bool)
    is_first[1:] = (owner[1:] != owner[:-1]) | (code[1:] != code[:-1])
    first = is_first.nonzero()[0]
    left = np.add.reduceat(found.signs.take(turn), first) if len(first) else first
    return np.bincount(owner.take(first[left > 0]), minlength=shape[0] * shape[1]).reshape(shape)


def _sums(found: _Found, shape: tuple[int, int]) -> Floats:
    """The sums of the amounts of each span, NaN where there is none: shape (orders, amounts times spans)."""
    owner = found.owner[:, None] + np.arange(len(AMOUNTS)) * (shape[0] * shape[1])
    told = ~np.isnan(found.amounts)
    owner, amounts, signs = owner[told], found.amounts[told], (told * found.signs[:, None])[told]
    size = len(AMOUNTS) * shape[0] * shape[1]
    known, total = np.bincount(owner, signs, size), np.bincount(owner, amounts * signs, size)
    sums = np.where(known > 0, total, np.nan).reshape(len(AMOUNTS), *shape)
    return np.concatenate(list(sums), axis=1)
