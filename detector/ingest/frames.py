"""The contract's tables from pandas DataFrames."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import duckdb
import pandas as pd
import pyarrow as pa

from detector.contract import INPUT_TABLES, Table
from detector.errors import InputError
from detector.ingest.sqltext import ident
from detector.ingest.types import Loaded, RawPart, RawTable, SourceFile, TableCount, no_rows, require_columns

__all__ = ["FrameSource"]


class FrameSource:
    """Tables held as DataFrames; columns keep their types and are converted as those of a file are."""

    def __init__(self, frames: Mapping[str, pd.DataFrame]) -> None:
        unknown = sorted(set(frames) - set(INPUT_TABLES))
        if unknown:
            known = ", ".join(INPUT_TABLES)
            raise InputError(f"{unknown[0]} is no table of the data contract; tables: {known}")
        if "orders" not in frames:
            raise InputError("there is no frame orders, the one table that is required")
        self._frames = frames
        self.files: tuple[SourceFile, ...] = ()
        self.counts: dict[str, TableCount] = {}
        self.notes: tuple[str, ...] = ()

    def load(self, table: Table, con: duckdb.DuckDBPyConnection) -> Loaded:
        """Copy the frame into a temp table."""
        if table.name not in self._frames:
            return no_rows(table)
        frame = self._frames[table.name]
        found = {str(name): "" for name in frame.columns}
        require_columns(table, "the frame", found)
        names = [name for name in table.column_names if name in found]
        into = f"ingest_raw_{table.name}"
        types = _copy(con, frame[names], into)
        ignored = tuple(sorted(set(found) - set(names)))
        raw = RawTable(table.name, (table.name,), (RawPart(ident(into), types),), (into,), 0, ignored)
        file = SourceFile(table.name, table.name, _digest(frame[names]), len(frame))
        return Loaded(raw, frozenset(names), (file,), ())


def _copy(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, into: str) -> dict[str, str]:
    """Copy ``frame`` with ``_file`` and ``_row``; return the columns' DuckDB types."""
    rows = {"_row": pa.array(range(1, len(frame) + 1), pa.int64())}
    con.register("ingest_frame", pa.table(rows | {str(name): _array(frame[name]) for name in frame}))
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {ident(into)} AS "
        "SELECT CAST(0 AS INTEGER) AS _file, * FROM ingest_frame"
    )
    con.unregister("ingest_frame")
    described = con.execute(f"DESCRIBE {ident(into)}").fetchall()
    return {name: str(sql_type) for name, sql_type, *_ in described if name in frame}


def _array(values: pd.Series) -> pa.Array:
    """The column in Arrow; as text where Python objects of several types are mixed."""
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if pd.isna(value) else str(value) for value in values], pa.string())


def _digest(frame: pd.DataFrame) -> str:
    hashes = pd.util.hash_pandas_object(frame.astype(str), index=False)
    return hashlib.sha256(hashes.to_numpy().tobytes()).hexdigest()
