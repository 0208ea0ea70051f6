"""Many numbers in one column: float64 values packed, their names kept once elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack_rows", "packed", "unpack", "unpacked"]

Floats = NDArray[np.float64]


def packed(rows: Floats) -> list[bytes]:
    """Each row's exact values, 8 bytes a number.

    >>> unpacked(packed(np.array([[0.1, np.nan], [2.0, 3.0]])), 2).tolist()
    [[0.1, nan], [2.0, 3.0]]
    """
    return [row.tobytes() for row in np.ascontiguousarray(rows, dtype="<f8")]


def unpacked(rows: Sequence[bytes], width: int) -> Floats:
    """The rows that ``packed`` packed, of ``width`` numbers each."""
    return np.frombuffer(b"".join(rows), dtype="<f8").reshape(-1, width)


def pack_rows(rows: Floats) -> list[bytes]:
    """Each row's exact values, most of which are null or 0: two bits a number, 8 bytes more for the others.

    >>> unpack(pack_rows(np.array([[0.1, np.nan, 0.0]]))[0], 3).tolist()
    [0.1, nan, 0.0]
    """
    rows = np.ascontiguousarray(rows, dtype="<f8")
    known = ~np.isnan(rows)
    told = known & (rows != 0)
    marks = np.packbits(np.hstack([known, told]), axis=1)
    return [mark.tobytes() + row[tells].tobytes() for mark, row, tells in zip(marks, rows, told, strict=True)]


def unpack(row: bytes, width: int) -> Floats:
    """The row of ``width`` numbers that ``pack_rows`` packed."""
    size = (2 * width + 7) // 8
    marks = np.unpackbits(np.frombuffer(row, dtype=np.uint8, count=size), count=2 * width).astype(bool)
    values = np.where(marks[:width], 0.0, np.nan)
    values[marks[width:]] = np.frombuffer(row, dtype="<f8", offset=size)
    return values
