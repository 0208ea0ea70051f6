"""Orders as columns of numbers: what trailing windows are looked up by, and what is counted and summed in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from features.velocity import AGGREGATES, Aggregate

__all__ = ["AMOUNTS", "IDS", "READINGS", "OrderColumns", "reading_of", "together"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def reading_of(aggregate: Aggregate) -> tuple[str, ...]:
    """Columns that all orders of a history have in common: money is summed within the order's own currency."""
    return (*aggregate.key, *(("currency",) if aggregate.function == "sum" else ()))


READINGS = tuple(dict.fromkeys(map(reading_of, AGGREGATES)))
"""The different ones of all aggregates."""
IDS: tuple[str, ...] = tuple(
    dict.fromkeys(chain(*READINGS, (a.column for a in AGGREGATES if a.function == "nunique" and a.column)))
)
"""Columns of ``orders`` by which histories are found, or of which different values are counted."""
AMOUNTS: tuple[str, ...] = tuple(
    dict.fromkeys(a.column for a in AGGREGATES if a.function == "sum" and a.column)
)
"""Columns of ``orders`` that are summed."""

_TAG_BITS = 5
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], dtype=np.uint64)
_PARTS = np.array([[IDS.index(n) for n in r] + [len(IDS)] * (len(_FACTORS) - len(r)) for r in READINGS]).T
"""The columns of each reading, two at most; a shorter one is filled up with the column of ones."""
_TAGS = np.arange(1, len(READINGS) + 1) << (64 - _TAG_BITS)


class OrderColumns(NamedTuple):
    """Orders as columns.

    Attributes
    ----------
    times
        ``created_at``, microseconds since 1970, int64 of shape (orders,).
    codes
        ``IDS`` as 64-bit hashes that hold in this process only, 0 is null, and a column of ones: uint64 of
        shape (orders, ids + 1).
    amounts
        ``AMOUNTS`` in minor units, NaN is null, float64 of shape (orders, amounts).
    signs
        1 for an order, −1 to take an equal one back, int64 of shape (orders,).
    """

    times: Ints
    codes: NDArray[np.uint64]
    amounts: Floats
    signs: Ints

    @classmethod
    def of(cls, times: Sequence[int], columns: Mapping[str, Sequence[Any]], sign: int = 1) -> Self:
        """Orders of lists of values, one for each of ``IDS`` and ``AMOUNTS``; None is null."""
        count = len(times)
        codes = np.ones((count, len(IDS) + 1), dtype=np.uint64)
        codes[:, :-1] = _codes([columns[name] for name in IDS]).T
        amounts = np.array([columns[name] for name in AMOUNTS], dtype=np.float64)
        return cls(np.array(times, dtype=np.int64), codes, amounts.T, np.full(count, sign))

    def taken(self, rows: Ints | slice) -> OrderColumns:
        return OrderColumns(self.times[rows], self.codes[rows], self.amounts[rows], self.signs[rows])

    def keys(self, readings: slice = slice(None)) -> Ints:
        """A number for what a reading's orders have in common, 0 where it is null: shape (orders, readings)."""
        one, other = (self.codes.take(parts[readings], axis=1) for parts in _PARTS)
        mixed = (one * _FACTORS[0] + other * _FACTORS[1] >> _TAG_BITS).view(np.int64) | _TAGS[readings]
        return np.where((one != 0) & (other != 0), mixed, 0)


def together(parts: Sequence[OrderColumns]) -> OrderColumns:
    """All orders of the parts."""
    return OrderColumns(*map(np.concatenate, zip(*parts, strict=True)))


_NULL = hash(None)


def _codes(columns: Sequence[Sequence[Any]]) -> NDArray[np.uint64]:
    """Hashes of columns of one length, 0 for null."""
    hashes = map(hash, chain.from_iterable(columns))
    found = np.fromiter(hashes, dtype=np.int64, count=len(columns) * len(columns[0]))
    return (found ^ _NULL).view(np.uint64).reshape(len(columns), -1)
