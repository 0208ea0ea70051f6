"""Columns between the database, Arrow and numpy: rows by order, null as NaN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = [
    "Codes",
    "Floats",
    "Rows",
    "group_codes",
    "ordered",
    "read_columns",
    "register",
    "taken",
    "values_of",
]

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]

ROWS_AT_ONCE = 65_536


def values_of(table: pa.Table, name: str) -> Floats:
    """A numeric column as float64, null as NaN."""
    return np.asarray(table[name].cast(pa.float64()).to_numpy(), dtype=np.float64)


def ordered(table: pa.Table) -> pa.Table:
    """The rows of a table that has every ``o`` once, in order of ``o`` and without that column."""
    rows = table["o"].to_numpy()
    if (np.diff(rows) < 0).any():
        table = table.take(pa.array(np.argsort(rows)))
    return table.drop_columns(["o"]).combine_chunks()


def taken(values: Floats, rows: Rows) -> Floats:
    """The values of those rows, NaN for row −1."""
    return np.append(values, np.nan)[rows]


def read_columns(con: duckdb.DuckDBPyConnection, query: str, orders: int) -> dict[str, Floats]:
    """The numeric columns of a query with ``o`` as float64 arrays by order, NaN where there is no value.

    Read in parts that fit into a processor's cache.
    """
    reader = con.sql(query).to_arrow_reader(ROWS_AT_ONCE)
    columns = {name: np.full(orders, np.nan) for name in reader.schema.names if name != "o"}
    for part in reader:
        rows = part["o"].to_numpy()
        for name, values in columns.items():
            values[rows] = part[name].to_numpy(zero_copy_only=False)
    return columns


def register(con: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, Any]) -> None:
    """Register columns as a view; NaN becomes null."""
    arrays = {
        key: pa.array(values, from_pandas=True) if isinstance(values, np.ndarray) else values
        for key, values in columns.items()
    }
    con.register(name, pa.table(arrays))


def group_codes(*keys: npt.NDArray[Any] | pa.Array | pa.ChunkedArray) -> Codes:
    """One code per distinct combination of the keys' values, 0 upwards; null is a value of its own.

    >>> group_codes(np.array([5, 5, 7]), pa.array(["a", None, None]))
    array([0, 1, 2], dtype=int32)
    """
    codes = _codes_below(keys[0])[0]
    for key in keys[1:]:
        if codes.max(initial=0) > _SMALL:
            codes = _encode(codes)
        other, values = _codes_below(key)
        codes = codes.astype(np.int64) * values + other
    return _encode(codes) if len(keys) > 1 or codes is keys[0] else codes


_SMALL = 2**31
"""Codes below it may be multiplied by others and still be whole numbers of 64 bits."""

_DENSE = 2
"""Whole numbers up to so many times their count are quicker counted than hashed."""


def _codes_below(key: npt.NDArray[Any] | pa.Array | pa.ChunkedArray) -> tuple[npt.NDArray[Any], int]:
    """Whole numbers from 0 that tell the key's values apart, and a number above them all."""
    codes = key if isinstance(key, np.ndarray) and _counts(key, _SMALL) else _encode(key)
    return codes, int(codes.max(initial=0)) + 1


def _counts(key: npt.NDArray[Any], highest: int) -> bool:
    """Whether the key has only whole numbers from 0 to the highest."""
    return bool(
        np.issubdtype(key.dtype, np.integer) and key.min(initial=0) >= 0 and key.max(initial=0) <= highest
    )


def _encode(key: npt.NDArray[Any] | pa.Array | pa.ChunkedArray) -> Codes:
    if isinstance(key, np.ndarray) and _counts(key, _DENSE * len(key)):
        used = np.bincount(key) > 0
        return (np.cumsum(used, dtype=np.int32) - 1)[key]
    array = pa.array(key) if isinstance(key, np.ndarray) else key
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    encoded = array.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    indices = encoded.indices.fill_null(len(encoded.dictionary))
    return np.asarray(indices.to_numpy(zero_copy_only=False), np.int32)
