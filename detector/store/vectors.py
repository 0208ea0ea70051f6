"""Many numbers in one column: float64 values packed, their names kept once elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import cycle, pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack_rows", "unpack", "unpack_rows"]

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]


def pack_rows(rows: Floats) -> list[bytes]:
    """Each row's exact values, most of which are null or 0: two bits a number, 8 bytes more for the others.

    >>> unpack(pack_rows(np.array([[0.1, np.nan, 0.0]]))[0], 3).tolist()
    [0.1, nan, 0.0]
    """
    rows = np.ascontiguousarray(rows, dtype="<f8")
    known = ~np.isnan(rows)
    told = known & (rows.view("<i8") != 0)  # of -0.0 a bit is set
    marks = np.packbits(np.hstack([known, told]), axis=1).tobytes()
    numbers = rows[told].tobytes()
    size = _size(rows.shape[1])
    ends = [0, *(8 * np.cumsum(told.sum(axis=1))).tolist()]
    return [
        marks[at * size : (at + 1) * size] + numbers[begin:end]
        for at, (begin, end) in enumerate(pairwise(ends))
    ]


def unpack(row: bytes, width: int) -> Floats:
    """The row of ``width`` numbers that ``pack_rows`` packed."""
    found: Floats = unpack_rows([row], (width,))[0]
    return found


def unpack_rows(parts: Sequence[bytes], widths: tuple[int, ...]) -> Floats:
    """Rows that were packed in parts of ``widths`` numbers: ``parts`` has those of the first row, of the next one …

    >>> unpack_rows([*pack_rows(np.array([[1.0, 2.0]])), *pack_rows(np.array([[3.0]]))], (2, 1)).tolist()
    [[1.0, 2.0, 3.0]]
    """
    sizes, is_known, is_told = _places(widths)
    marks = b"".join([part[:size] for part, size in zip(parts, cycle(sizes), strict=False)])
    numbers = b"".join([part[size:] for part, size in zip(parts, cycle(sizes), strict=False)])
    bits = np.unpackbits(np.frombuffer(marks, dtype=np.uint8)).view(bool).reshape(-1, 8 * sum(sizes))
    values = np.where(bits.take(is_known, axis=1), 0.0, np.nan)
    values[bits.take(is_told, axis=1)] = np.frombuffer(numbers, dtype="<f8")
    return values


def _size(width: int) -> int:
    """Bytes of the marks of ``width`` numbers."""
    return (2 * width + 7) // 8


@lru_cache(maxsize=8)
def _places(widths: tuple[int, ...]) -> tuple[list[int], Positions, Positions]:
    """Of parts one after another: the bytes of each one's marks; the bits that say known, and told, of each number."""
    sizes = [_size(width) for width in widths]
    begins = [8 * sum(sizes[:at]) for at in range(len(sizes))]
    known = [begin + at for begin, width in zip(begins, widths, strict=True) for at in range(width)]
    told = [begin + width + at for begin, width in zip(begins, widths, strict=True) for at in range(width)]
    return sizes, np.array(known, dtype=np.intp), np.array(told, dtype=np.intp)
