"""Looking into Parquet files without loading them."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from detector.errors import InputError
from detector.ingest.files import FoundFile
from detector.ingest.sqltext import literal, literals

__all__ = ["parquet_columns", "parquet_rows", "scan_parquet"]


def scan_parquet(files: Sequence[FoundFile]) -> str:
    """SQL that can follow FROM; a hive folder's ``date`` is a place, not a column."""
    paths = literals(str(file.path) for file in files)
    return f"read_parquet([{paths}], hive_partitioning=false, union_by_name=true)"


def parquet_columns(con: duckdb.DuckDBPyConnection, file: FoundFile) -> dict[str, str]:
    """Column name → DuckDB type; raises InputError when the file is not Parquet."""
    try:
        rows = con.execute(f"DESCRIBE FROM {scan_parquet([file])}").fetchall()
    except duckdb.Error as error:
        raise InputError(f"{file.label} cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    return {name: str(sql_type) for name, sql_type, *_ in rows}


def parquet_rows(con: duckdb.DuckDBPyConnection, file: FoundFile) -> int:
    """Data rows, from the file's footer."""
    found = con.execute(f"SELECT num_rows FROM parquet_file_metadata({literal(str(file.path))})").fetchall()
    return int(found[0][0])
