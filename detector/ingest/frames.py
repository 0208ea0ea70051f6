"""From a pandas DataFrame to a raw relation."""

from __future__ import annotations

import hashlib

import duckdb
import pandas as pd
import pyarrow as pa

from detector.contract import Table
from detector.errors import InputError
from detector.ingest.load import Loaded
from detector.ingest.sqltext import ident
from detector.ingest.types import RawPart, RawTable, SourceFile

__all__ = ["load_frame"]


def load_frame(con: duckdb.DuckDBPyConnection, table: Table, frame: pd.DataFrame) -> Loaded:
    """Make ``frame`` readable as the raw relation of ``table``; its columns keep their types."""
    missing = [column.name for column in table.columns if column.required and column.name not in frame]
    if missing:
        raise InputError(
            f"table {table.name}: the frame has no column {missing[0]}, which is required; "
            f"columns found: {', '.join(map(str, frame.columns))}"
        )
    names = [name for name in table.column_names if name in frame]
    arrow = pa.table(
        {"_row": pa.array(range(1, len(frame) + 1), pa.int64()), **{n: _array(frame[n]) for n in names}}
    )
    into = f"ingest_raw_{table.name}"
    con.register("ingest_frame", arrow)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {ident(into)} AS "
        "SELECT CAST(0 AS INTEGER) AS _file, * FROM ingest_frame"
    )
    con.unregister("ingest_frame")
    types = {name: sql_type for name, sql_type, *_ in con.execute(f"DESCRIBE {ident(into)}").fetchall()}
    ignored = tuple(sorted(str(name) for name in frame.columns if name not in table.column_names))
    raw = RawTable(
        table.name, (table.name,), (RawPart(ident(into), {n: types[n] for n in names}),), (into,), 0, ignored
    )
    digest = hashlib.sha256(
        pd.util.hash_pandas_object(frame[names].astype(str), index=False).to_numpy().tobytes()
    )
    file = SourceFile(table.name, table.name, digest.hexdigest(), len(frame))
    return Loaded(raw, frozenset(names), (file,), ())


def _array(values: pd.Series) -> pa.Array:
    """The column in Arrow; as text where Python objects of several types are mixed."""
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if pd.isna(value) else str(value) for value in values], pa.string())
