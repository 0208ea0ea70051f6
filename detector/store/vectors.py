"""Many numbers in one column: float64 values packed, their names kept once elsewhere."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack", "unpack"]


def pack(values: NDArray[np.float64]) -> bytes:
    """The exact values, NaN included, compressed: most of an order's features are null or 0.

    >>> unpack(pack(np.array([0.1, np.nan]))).tolist()
    [0.1, nan]
    """
    return zlib.compress(np.ascontiguousarray(values, dtype="<f8").tobytes(), 1)


def unpack(packed: bytes) -> NDArray[np.float64]:
    """The values that ``pack`` packed."""
    return np.frombuffer(zlib.decompress(packed), dtype="<f8")
