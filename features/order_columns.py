"""Tables with a dense row number, as numpy columns: cheaper than joining a dozen tables on it."""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["column", "store"]

F64 = npt.NDArray[np.float64]


def column(con: duckdb.DuckDBPyConnection, table: str, value: str, size: int, key: str = "o") -> F64:
    """Column ``value`` (an SQL expression) of ``table`` by its row number ``key``.

    float64 array of length ``size``; NaN for rows that the table does not have and for null.
    """
    rows = con.execute(
        f"SELECT {key}::BIGINT AS at_row, coalesce(({value})::DOUBLE, 'NaN'::DOUBLE) AS value FROM {table} "
        f"WHERE {key} IS NOT NULL"
    ).fetchnumpy()
    result = np.full(size, np.nan)
    result[np.asarray(rows["at_row"])] = np.asarray(rows["value"])
    return result


def store(con: duckdb.DuckDBPyConnection, table: str, columns: dict[str, npt.NDArray[np.generic]]) -> None:
    """Create ``table`` from columns of equal length; NaN becomes NULL."""
    arrays = {name: pa.array(values, from_pandas=True) for name, values in columns.items()}
    con.register("stored_columns", pa.table(arrays))
    con.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM stored_columns")
    con.unregister("stored_columns")
