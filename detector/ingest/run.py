"""The whole of ingest: folders or frames in, clean tables, rejects and counts out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import pandas as pd

from detector.contract import INPUT_TABLES, Table
from detector.ingest.checks import SQL_TYPES, create_code_types, drop_code_types
from detector.ingest.clean import clean_table
from detector.ingest.folder import FolderSource
from detector.ingest.frames import FrameSource
from detector.ingest.mapped import MappedSource
from detector.ingest.rejects import create_rejects, sort_rejects
from detector.ingest.sqltext import ident
from detector.ingest.types import Ingested, Loaded, Source, TableCount
from detector.mapping import read_mapping
from features.together import side_by_side

__all__ = ["ingest", "ingest_frames"]


def ingest(
    folder: Path,
    con: duckdb.DuckDBPyConnection,
    *,
    history: Path | None = None,
    mapping: Path | None = None,
) -> Ingested:
    """Read a folder of contract tables into ``con``, validated.

    Parameters
    ----------
    folder : the input folder; ``NAME.parquet``, ``NAME.csv``, ``NAME.csv.gz`` or ``NAME/`` of such parts
    con : an in-process connection with no open transaction; its TimeZone is set to UTC, and tables of the
        contract in it are replaced
    history : a second folder of the same form, read after ``folder``: of two rows with one key the
        input's stays, an identical row counts as a duplicate
    mapping : a mapping file (``detector.mapping``) that makes the tables from the files of both folders

    Raises
    ------
    InputError
        A folder, file or mapping cannot be read, table ``orders`` is missing, or a file lacks a required
        column.
    """
    _prepare(con)
    folders = [folder] if history is None else [folder, history]
    if mapping is None:
        return _run(con, FolderSource(folders))
    source = MappedSource(con, read_mapping(mapping), folders)
    try:
        return _run(con, source)
    finally:
        source.close()


def ingest_frames(frames: Mapping[str, pd.DataFrame], con: duckdb.DuckDBPyConnection) -> Ingested:
    """Validate DataFrames (contract table name → frame) as ``ingest`` validates files.

    A frame's file label is its table name; its index is ignored. Raises InputError as ``ingest`` does.
    """
    _prepare(con)
    return _run(con, FrameSource(frames))


@dataclass(frozen=True, slots=True)
class _Result:
    loaded: Loaded
    count: TableCount
    masked: Mapping[str, int]


def _prepare(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET preserve_insertion_order = true")  # row numbers are read off the order of a scan
    create_rejects(con)
    create_code_types(con)


def _run(con: duckdb.DuckDBPyConnection, source: Source) -> Ingested:
    works = [partial(_ingest_table, source, table) for table in INPUT_TABLES.values()]
    results = dict(zip(INPUT_TABLES, side_by_side(con, works), strict=True))
    sort_rejects(con)
    drop_code_types(con)
    return Ingested(
        con,
        (*source.files, *(file for result in results.values() for file in result.loaded.files)),
        {name: result.count for name, result in results.items()} | source.counts,
        {name: result.loaded.present for name, result in results.items()},
        {name: result.loaded.raw.ignored for name, result in results.items() if result.loaded.raw.ignored},
        {name: count for result in results.values() for name, count in result.masked.items()},
        (*source.notes, *(note for result in results.values() for note in result.loaded.notes)),
    )


def _ingest_table(source: Source, table: Table, con: duckdb.DuckDBPyConnection) -> _Result:
    loaded = source.load(table, con)
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
