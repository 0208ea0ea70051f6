"""Many numbers in one column: float64 values packed, their names kept once elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled

__all__ = ["pack_rows", "unpack", "unpack_rows"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

_NULL = np.uint64(0x7FF8000000000000)


def pack_rows(rows: Floats) -> list[bytes]:
    """Each row's exact values, most of which are null or 0: two bits a number, 8 bytes more for the others.

    >>> unpack(pack_rows(np.array([[0.1, np.nan, 0.0]]))[0], 3).tolist()
    [0.1, nan, 0.0]
    """
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    count, width = rows.shape
    data = np.zeros(count * (_size(width) + 8 * width), dtype=np.uint8)
    ends = np.zeros(1 + count, dtype=np.int64)
    _pack(rows, rows.view(np.uint64), data, ends)
    packed = data[: ends[-1]].tobytes()
    return [packed[begin:end] for begin, end in pairwise(ends.tolist())]


def unpack(row: bytes, width: int) -> Floats:
    """The row of ``width`` numbers that ``pack_rows`` packed."""
    found: Floats = unpack_rows([row], np.array([width]))[0]
    return found


def unpack_rows(parts: Sequence[bytes], widths: Ints) -> Floats:
    """Rows that were packed in parts of ``widths`` numbers: ``parts`` has those of the first row, of the next one …

    Nothing in place of a part: its numbers are null.

    >>> unpack_rows([*pack_rows(np.array([[1.0, 2.0]])), b""], np.array([2, 1])).tolist()
    [[1.0, 2.0, nan]]
    """
    rows = np.empty((len(parts) // len(widths), int(widths.sum())))
    ends = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts)).cumsum()
    _unpack(np.frombuffer(b"".join(parts), dtype=np.uint8), ends, widths, rows.view(np.uint64))
    return rows


@compiled
def _size(width: int) -> int:
    """Bytes of the marks of ``width`` numbers: a bit of each that it is known, then of each that it is told."""
    return (2 * width + 7) // 8


@compiled
def _is_marked(data: Bytes, begin: int, at: int) -> bool:
    return bool(data[begin + at // 8] >> (7 - at % 8) & 1)


@compiled
def _mark(data: Bytes, begin: int, at: int) -> None:
    data[begin + at // 8] |= 1 << (7 - at % 8)


@compiled
def _pack(rows: Floats, bits: Bits, data: Bytes, ends: Ints) -> None:
    """Fill in ``data``, and the end of each row in it behind the beginning of the first."""
    width = rows.shape[1]
    for row in range(len(rows)):
        begin = ends[row]
        end = begin + _size(width)
        for at in range(width):
            if np.isnan(rows[row, at]):
                continue
            _mark(data, begin, at)
            if bits[row, at]:  # of -0.0 a bit is set
                _mark(data, begin, width + at)
                for byte in range(8):
                    data[end + byte] = np.uint8(bits[row, at] >> np.uint64(8 * byte))
                end += 8
        ends[row + 1] = end


@compiled
def _unpack(data: Bytes, ends: Ints, widths: Ints, rows: Bits) -> None:
    """Fill in the bits of ``rows``."""
    begin, part = 0, 0
    for row in range(len(rows)):
        column = 0
        for width in widths:
            number = begin + _size(width)
            for at in range(width):
                value = _NULL
                if begin < ends[part] and _is_marked(data, begin, at):
                    value = np.uint64(0)
                    if _is_marked(data, begin, width + at):
                        for byte in range(8):
                            value |= np.uint64(data[number + byte]) << np.uint64(8 * byte)
                        number += 8
                rows[row, column] = value
                column += 1
            begin = int(ends[part])
            part += 1
