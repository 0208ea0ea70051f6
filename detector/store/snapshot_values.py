"""The values of snapshot features: a row per key, found by a number that is made of the key.

The number is the generation's parity, the place of the group and 57 bits of a digest of the key's parts. So the
rows of a generation lie together, and within it those of a group: the few of sellers and products, which are
asked for all the time, fill few pages. Of a million keys two share a number once in 300,000 publications, and are
both left out; an unknown key has the number of a known one once in a hundred thousand million times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Delete,
    Integer,
    LargeBinary,
    Table,
    delete,
    select,
)

from detector.store.columns import METADATA
from detector.store.prepared import Question, among, listed
from detector.store.vectors import unpack_rows
from features.compiled import compiled
from features.stack import Names, Stack

__all__ = ["MOST_GROUPS", "NO_KEY", "VALUES", "Group", "Groups", "forget_values", "values"]

Floats = NDArray[np.float64]
Digests = NDArray[np.uint64]
Row = Mapping[str, Any]

VALUES = Table(
    "snapshot_values",
    METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

_DIGEST_BITS, _GROUP_BITS = 57, 5
_UNUSED_BITS = np.uint64(64 - _DIGEST_BITS)
MOST_GROUPS = 1 << _GROUP_BITS
NO_KEY = -1
"""In place of the number of a key of which a part is null."""

_WEIGHTS = [pow(0x9E3779B97F4A7C15, place, 2**64) for place in range(8)]
"""By the place of a key's part: odd, so that no digit of a digest is lost, and what is swapped is not the same."""


@dataclass(frozen=True, slots=True)
class Group:
    """Features that are found by the same key columns. ``place``: among the snapshot's groups."""

    place: int
    key: tuple[str, ...]
    names: tuple[str, ...]


class Groups:
    """The groups of a generation, ready to be looked up.

    Attributes
    ----------
    columns
        All key columns.
    names
        All features, group by group.
    """

    def __init__(self, generation: int, groups: Iterable[Group]) -> None:
        groups = tuple(groups)
        self.columns = tuple(dict.fromkeys(part for group in groups for part in group.key))
        self.names = Names([name for group in groups for name in group.names])
        self.widths = np.array([len(group.names) for group in groups], dtype=np.int64)
        self._first = np.array([_first(generation, group.place) for group in groups], dtype=np.int64)
        self._weights = np.zeros((len(groups), len(self.columns)), dtype=np.uint64)
        for at, group in enumerate(groups):
            for part, weight in zip(group.key, _WEIGHTS, strict=False):
                self._weights[at, self.columns.index(part)] = weight

    def numbers(self, told: Sequence[str | None]) -> NDArray[np.int64]:
        """The numbers of keys, ``NO_KEY`` where a part is null.

        Parameters
        ----------
        told
            The values of the first of ``columns``, of the next one …

        Returns
        -------
        int64 array, shape (values of a column, groups)
        """
        digests = _digests(told).reshape(len(self.columns), -1)
        numbers = np.empty((digests.shape[1], len(self._first)), dtype=np.int64)
        _mix(digests, self._weights, self._first, numbers)
        return numbers


@compiled
def _mix(digests: Digests, weights: Digests, firsts: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
    """Fill in the ``numbers`` of ``Groups.numbers``."""
    for row in range(len(numbers)):
        for group in range(len(firsts)):
            mixed, is_null = np.uint64(0), False
            for column in range(len(digests)):
                if weights[group, column]:
                    is_null |= digests[column, row] == 0
                    mixed += weights[group, column] * digests[column, row]
            numbers[row, group] = NO_KEY if is_null else firsts[group] + np.int64(mixed >> _UNUSED_BITS)


_NULL = bytes(8)


def _digests(values: Sequence[str | None]) -> Digests:
    """64 bits of each value, 0 where it is null."""
    found = [_NULL if value is None else blake2b(value.encode(), digest_size=8).digest() for value in values]
    return np.frombuffer(b"".join(found), dtype="<u8")


def _first(generation: int, place: int) -> int:
    """The least number of a group. Of two generations that are kept one is even, the other odd."""
    return (generation % 2 * MOST_GROUPS + place) << _DIGEST_BITS


def values(connection: Connection, groups: Groups, keys: Sequence[Row]) -> Stack:
    """What the groups' generation knew of some orders.

    Parameters
    ----------
    keys
        One row per order with the groups' key columns; where one is null, the group's features are.

    Returns
    -------
    Stack
        Of each order the features, NaN where the snapshot knows none.
    """
    told = [row.get(part) for part in groups.columns for row in keys]
    numbers = groups.numbers(told).ravel().tolist()
    wanted = sorted({*numbers} - {NO_KEY})
    [found] = _lookup(connection.dialect.name).ask(connection, [(listed(connection, wanted),)])
    data = dict(found)
    parts = [data.get(number, b"") for number in numbers]
    return Stack(groups.names, unpack_rows(parts, groups.widths).T)


@cache
def _lookup(dialect: str) -> Question:
    asked = select(VALUES.c.number, VALUES.c.data).where(among(dialect, VALUES.c.number, "numbers"))
    return Question(dialect, asked, ("numbers",))


def forget_values(generation: int) -> Delete:
    """Drop all values of a generation."""
    ends = (_first(generation, 0), _first(generation, MOST_GROUPS) - 1)
    return delete(VALUES).where(VALUES.c.number.between(*ends))
