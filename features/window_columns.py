"""Orders as columns of numbers: what trailing windows are looked up by, and what is counted and summed in them."""

from __future__ import annotations

from collections.abc import Sequence
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


class OrderColumns(NamedTuple):
    """Orders as columns.

    Attributes
    ----------
    times
        ``created_at``, microseconds since 1970, int64 of shape (orders,).
    codes
        ``IDS`` as 64-bit hashes that hold in this process only, 0 is null: int64 of shape (orders, ids).
    amounts
        ``AMOUNTS`` in minor units, NaN is null, float64 of shape (orders, amounts).
    """

    times: Ints
    codes: Ints
    amounts: Floats

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]]) -> Self:
        """Orders as rows of the time, the ``IDS`` and the ``AMOUNTS``; None is null."""
        count = len(rows)
        ids = chain.from_iterable(row[1 : 1 + len(IDS)] for row in rows)
        codes = np.fromiter(map(hash, ids), dtype=np.int64, count=count * len(IDS)) ^ _NULL
        amounts = np.array([row[1 + len(IDS) :] for row in rows], dtype=np.float64)
        return cls(
            np.array([row[0] for row in rows], dtype=np.int64),
            codes.reshape(count, len(IDS)),
            amounts.reshape(count, len(AMOUNTS)),
        )

    def taken(self, rows: Ints) -> OrderColumns:
        return OrderColumns(self.times[rows], self.codes[rows], self.amounts[rows])


def together(parts: Sequence[OrderColumns]) -> OrderColumns:
    """All orders of the parts."""
    return OrderColumns(*map(np.concatenate, zip(*parts, strict=True)))


_NULL = hash(None)
