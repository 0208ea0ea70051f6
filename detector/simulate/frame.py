"""A growing table of numpy columns, and the clock and random streams that all topics share."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DAY", "HOUR", "MINUTE", "Array", "Frame", "Params", "mix", "pick", "stream"]

Array = NDArray[Any]
MINUTE = 60 * 1_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
"""Durations in microseconds: every time in the simulator is an int64 of microseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the caller asked for. ``end`` is the instant of the export: nothing later is known."""

    orders: int
    days: int
    seed: int
    fake_share: float
    attacks: tuple[str, ...]
    end: int

    @property
    def start(self) -> int:
        return self.end - self.days * DAY


def stream(seed: int, topic: str) -> np.random.Generator:
    """A random stream of its own for each topic, so that one topic's draws never move another's."""
    return np.random.default_rng([seed, zlib.crc32(topic.encode())])


def mix(values: Array, salt: int) -> NDArray[np.uint64]:
    """Scramble integers one-to-one over 64 bits (splitmix64): equal in, equal out, order lost."""
    with np.errstate(over="ignore"):
        z = values.astype(np.uint64) + np.uint64((salt * 0x9E3779B97F4A7C15 + 1) % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def pick(rng: np.random.Generator, weights: Array, n: int) -> NDArray[np.int64]:
    """``n`` positions drawn with replacement, with probability proportional to ``weights``."""
    edges = np.cumsum(weights, dtype=float)
    chosen = np.searchsorted(edges, rng.random(n) * edges[-1], side="right")
    return np.asarray(np.minimum(chosen, len(edges) - 1), dtype=np.int64)


class Frame:
    """Columns of equal length that rows can be appended to; a missing column takes its default.

    >>> people = Frame({"age": ("i8", 0), "town": ("i4", -1)})
    >>> people.add(2, age=[30, 40])
    array([0, 1])
    >>> people["town"]
    array([-1, -1], dtype=int32)
    """

    def __init__(self, schema: Mapping[str, tuple[str, Any]], capacity: int = 64) -> None:
        self._defaults = {name: default for name, (_, default) in schema.items()}
        self._columns = {name: np.full(capacity, d, dtype=t) for name, (t, d) in schema.items()}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, name: str) -> Array:
        return self._columns[name][: self._size]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._columns)

    def add(self, n: int, **values: Any) -> NDArray[np.int64]:
        """Append ``n`` rows and return their positions. A value may be a scalar or a column."""
        start, stop = self._size, self._size + n
        if values.keys() - self._columns.keys():
            raise KeyError(f"no such column: {sorted(values.keys() - self._columns.keys())}")
        self._reserve(stop)
        for name, column in self._columns.items():
            column[start:stop] = values.get(name, self._defaults[name])
        self._size = stop
        return np.arange(start, stop)

    def _reserve(self, size: int) -> None:
        capacity = len(next(iter(self._columns.values())))
        if size <= capacity:
            return
        grown = max(size, capacity + capacity // 2)
        for name, column in self._columns.items():
            larger = np.full(grown, self._defaults[name], dtype=column.dtype)
            larger[: self._size] = column[: self._size]
            self._columns[name] = larger
