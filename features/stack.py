"""Columns under their names that lie in one array: those that a step reads are picked, not put together one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Names", "Stack", "stacked"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Names:
    """Names of columns in turn, each with its ``place``; of two alike the last. Made once, for many stacks."""

    def __init__(self, names: Sequence[str]) -> None:
        self.in_turn = tuple(names)
        self.place = {name: at for at, name in enumerate(names)}
        self._picked: dict[tuple[str, ...], tuple[Ints, Ints]] = {}

    def picked(self, wanted: tuple[str, ...]) -> tuple[Ints, Ints]:
        """The place of each name, any where there is none, and the positions of those."""
        found = self._picked.get(wanted)
        if found is None:
            places = np.array([self.place.get(name, 0) for name in wanted], dtype=np.int64)
            missing = [at for at, name in enumerate(wanted) if name not in self.place]
            found = self._picked[wanted] = places, np.array(missing, dtype=np.int64)
        return found


class Stack(Mapping[str, Floats]):
    """Columns of equal length.

    Parameters
    ----------
    array
        Shape (names, rows).
    """

    def __init__(self, names: Names, array: Floats) -> None:
        self.names, self.array = names, array

    def __getitem__(self, name: str) -> Floats:
        column: Floats = self.array[self.names.place[name]]
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self.names.place)

    def __len__(self) -> int:
        return len(self.names.place)

    @classmethod
    def together(cls, *parts: Stack) -> Stack:
        """All columns of several stacks of the same rows, one of which at least has some."""
        return cls(
            _together(tuple(part.names for part in parts)), np.concatenate([part.array for part in parts])
        )


def stacked(columns: Mapping[str, Floats], names: tuple[str, ...], count: int) -> Floats:
    """The columns of these names in a new array of shape (names, ``count``); one that is not given is null."""
    if isinstance(columns, Stack):
        places, missing = columns.names.picked(names)
        found: Floats = columns.array[places]
        found[missing] = np.nan
        return found
    unknown = np.full(count, np.nan)
    given = [columns.get(name, unknown) for name in names]
    return np.concatenate([unknown[:0], *given]).reshape(len(names), count)


@lru_cache(maxsize=4)
def _together(parts: tuple[Names, ...]) -> Names:
    return Names([name for part in parts for name in part.in_turn])
