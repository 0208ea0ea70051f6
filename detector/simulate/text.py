"""Strings by the million: opaque ids, fixed-width codes and templates as Arrow arrays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.simulate.frame import Array, mix

__all__ = ["choose", "digits", "fixed_width", "opaque", "render", "times", "where"]

_HEX_PAIRS = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), dtype=np.uint16)


def fixed_width(chars: Array) -> pa.StringArray:
    """An (n, width) array of ASCII codes as n strings."""
    n, width = chars.shape
    offsets = np.arange(n + 1, dtype=np.int32) * np.int32(width)
    data = np.ascontiguousarray(chars, dtype=np.uint8)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(data))


def digits(values: Array, width: int) -> Array:
    """The last ``width`` decimal digits of each value, as an (n, width) array of ASCII codes."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return ((values[:, None] // powers) % 10 + 48).astype(np.uint8)


def opaque(index: Array, salt: int) -> pa.StringArray:
    """16 hexadecimal digits that tell nothing about the index; null where the index is negative."""
    octets = mix(index, salt).astype(">u8").view(np.uint8).reshape(-1, 8)
    return where(index >= 0, fixed_width(_HEX_PAIRS[octets].view(np.uint8).reshape(-1, 16)))


def choose(values: Sequence[str], index: Array) -> pa.StringArray:
    """``values[index]``; null where the index is negative."""
    missing = index < 0
    safe = np.where(missing, 0, index)
    taken = pa.array(values, pa.string()).take(pa.array(safe))
    return where(~missing, taken)


def where(keep: Array, values: pa.Array) -> pa.Array:
    """``values`` with null wherever ``keep`` is false."""
    if bool(np.all(keep)):
        return values
    return pc.if_else(pa.array(keep), values, pa.scalar(None, values.type))


def render(template: str, **columns: Any) -> pa.StringArray:
    """Fill ``{name}`` slots of a template with Arrow arrays (integers are written in decimal)."""
    parts: list[Any] = []
    for literal, name in re.findall(r"([^{]*)(?:\{(\w+)\})?", template):
        if literal:
            parts.append(pa.scalar(literal))
        if name:
            parts.append(_as_strings(columns[name]))
    return pc.binary_join_element_wise(*parts, "")


def _as_strings(column: Any) -> pa.Array:
    array = column if isinstance(column, pa.Array | pa.ChunkedArray) else pa.array(column)
    return array if pa.types.is_string(array.type) else array.cast(pa.string())


def times(values: Array) -> pa.Array:
    """Microseconds since 1970 as UTC timestamps; null where negative."""
    stamps = pa.array(values, pa.int64(), mask=values < 0)
    return stamps.cast(pa.timestamp("us", tz="UTC"))
