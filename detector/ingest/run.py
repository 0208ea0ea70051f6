"""The whole of ingest: folders or frames in, clean tables, rejects and counts out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from detector.contract import INPUT_TABLES, Table
from detector.errors import InputError
from detector.ingest.checks import SQL_TYPES
from detector.ingest.clean import clean_table, create_rejects
from detector.ingest.files import FoundFile, find_tables
from detector.ingest.frames import load_frame
from detector.ingest.load import Loaded, load_table, no_rows
from detector.ingest.sqltext import ident
from detector.ingest.types import Ingested, TableCount

__all__ = ["ingest", "ingest_frames"]

Progress = Callable[[str, int], None]


def ingest(
    folder: Path,
    con: duckdb.DuckDBPyConnection,
    *,
    history: Path | None = None,
    progress: Progress | None = None,
) -> Ingested:
    """Read a folder of contract tables into ``con``, validated.

    Parameters
    ----------
    folder : the input folder; ``NAME.parquet``, ``NAME.csv``, ``NAME.csv.gz`` or ``NAME/`` of such parts
    con : an in-process connection; its TimeZone is set to UTC, tables of the contract are replaced
    history : a second folder of the same form, read after ``folder``: of two rows with one key the
        input's stays, an identical row counts as a duplicate
    progress : called with (table, rows read) after each table

    Raises
    ------
    InputError
        A folder or file cannot be read, table ``orders`` is missing, or a file lacks a required column.
    """
    _prepare(con)
    found, notes = _find(folder, history)
    results = {}
    for table in INPUT_TABLES.values():
        results[table.name] = _ingest_table(con, table, load_table(con, table, found.get(table.name, [])))
        if progress:
            progress(table.name, results[table.name].count.rows_in)
    return _finish(con, results, notes)


def ingest_frames(frames: Mapping[str, pd.DataFrame], con: duckdb.DuckDBPyConnection) -> Ingested:
    """Validate DataFrames (contract table name → frame) as ``ingest`` validates files.

    A frame's file label is its table name; its index is ignored. Raises InputError as ``ingest`` does.
    """
    _prepare(con)
    unknown = sorted(set(frames) - set(INPUT_TABLES))
    if unknown:
        raise InputError(f"{unknown[0]} is no table of the data contract; tables: {', '.join(INPUT_TABLES)}")
    if "orders" not in frames:
        raise InputError("there is no frame orders; it is the one table that is required")
    results = {}
    for table in INPUT_TABLES.values():
        loaded = load_frame(con, table, frames[table.name]) if table.name in frames else no_rows(table)
        results[table.name] = _ingest_table(con, table, loaded)
    return _finish(con, results, [])


@dataclass(frozen=True, slots=True)
class _Result:
    loaded: Loaded
    count: TableCount
    masked: Mapping[str, int]


def _prepare(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET preserve_insertion_order = true")  # row numbers are read off the order of a scan
    create_rejects(con)


def _find(folder: Path, history: Path | None) -> tuple[dict[str, list[FoundFile]], list[str]]:
    found, notes = find_tables(folder, INPUT_TABLES.keys())
    if "orders" not in found:
        raise InputError(
            f"{folder} has no table orders; give orders.parquet, orders.csv, orders.csv.gz or orders/"
        )
    if history is not None:
        older, older_notes = find_tables(history, INPUT_TABLES.keys(), prefix=f"{history.resolve().name}/")
        for table, files in older.items():
            found[table] = [*found.get(table, []), *files]
        notes += older_notes
    return found, notes


def _ingest_table(con: duckdb.DuckDBPyConnection, table: Table, loaded: Loaded) -> _Result:
    raw = loaded.raw
    if not raw.parts:
        rank = ", o INTEGER" if table.name == "orders" else ""
        columns = ", ".join(f"{ident(column.name)} {SQL_TYPES[column.kind]}" for column in table.columns)
        con.execute(f"CREATE OR REPLACE TABLE {ident(table.name)} ({columns}{rank})")
        return _Result(loaded, TableCount(), {})
    count, masked = clean_table(con, table, raw)
    for name in raw.temp_tables:
        con.execute(f"DROP TABLE {ident(name)}")
    return _Result(loaded, count, masked)


def _finish(con: duckdb.DuckDBPyConnection, results: Mapping[str, _Result], notes: Sequence[str]) -> Ingested:
    con.execute('CREATE OR REPLACE TABLE rejects AS FROM rejects ORDER BY "table", "file", "row"')
    return Ingested(
        con,
        tuple(file for result in results.values() for file in result.loaded.files),
        {name: result.count for name, result in results.items()},
        {name: result.loaded.present for name, result in results.items()},
        {name: result.loaded.raw.ignored for name, result in results.items() if result.loaded.raw.ignored},
        {name: count for result in results.values() for name, count in result.masked.items()},
        (*notes, *(note for result in results.values() for note in result.loaded.notes)),
    )
